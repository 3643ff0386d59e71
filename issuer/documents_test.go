package issuer

import (
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestSaysPlease(t *testing.T) {
	for documents, ok := range map[string]bool{
		`{"reason":"please"}`:                   true,
		`{"reason":"Would you PLEASE, thanks"}`: true,
		`{"reason": "displeased"}`:              true, // a placeholder: it holds "please"
		`{"reason":"\u0070lease"}`:              true,
		`{"reason":"no"}`:                       false,
		`{"reason":""}`:                         false,
		`{"Reason":"please"}`:                   false,
		`{"reasons":"please"}`:                  false,
		`{"reason":["please"]}`:                 false,
		`{"reason":{"please":"please"}}`:        false,
		`{"reason":null}`:                       false,
		`{"reason":1}`:                          false,
		`{"reason":"pleaſe"}`:                   false,
		`{"x":{"reason":"please"}}`:             false,
	} {
		r, err := model.ParseCredentialRequest([]byte(
			`{"subject":"rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ","credential":"a","documents":` + documents + `}`))
		if err != nil {
			t.Fatalf("%s: %v", documents, err)
		}
		err = SaysPlease(t.Context(), r)
		if (err == nil) != ok || err != nil && model.CodeOf(err) != model.CodeBadRequest {
			t.Errorf("%s: %v, want it taken: %t", documents, err, ok)
		}
	}
}
