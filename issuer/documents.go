package issuer

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// DocumentCheck decides whether an applicant's documents are good enough for the credential that the request is for.
// A refusal is a [model.Error] with [model.CodeBadRequest] and says what is missing.
type DocumentCheck func(ctx context.Context, r model.CredentialRequest) error

// SaysPlease is the tutorial's placeholder for a real check: the documents' field "reason" is a string that holds
// "please" in any case.
func SaysPlease(_ context.Context, r model.CredentialRequest) error {
	raw, _ := r.Documents.Field("reason")
	var reason any
	if json.Unmarshal(raw, &reason) == nil {
		if text, ok := reason.(string); ok && strings.Contains(strings.ToLower(text), "please") {
			return nil
		}
	}
	return model.BadRequest("documents.reason", `must be a string that holds the word "please"`)
}
