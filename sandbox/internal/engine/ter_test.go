package engine

import (
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

func TestResults(t *testing.T) {
	for r, text := range terTexts {
		class := map[string]bool{"tel": r.IsTel(), "tem": r.IsTem(), "tef": r.IsTef(), "ter": r.IsTer(), "tes": r.IsTes(), "tec": r.IsTec()}
		for name, is := range class {
			if is != strings.HasPrefix(text[0], name) {
				t.Errorf("%d, %s: %s is %v", r, text[0], name, is)
			}
		}
		if name, _ := codec.ResultName(uint8(r)); (r.IsTec() || r.IsTes()) && name != text[0] {
			t.Errorf("%d is %s here and %s in metadata", r, text[0], name)
		}
		if text[1] == "" || r.String() != text[0] || r.Message() != text[1] {
			t.Errorf("%d: %q, %q", r, r.String(), r.Message())
		}
	}
	if r := TER(-1000); r.String() != "-" || r.Message() != "-" || r.IsTel() || r.IsTem() || r.IsTef() || r.IsTer() || r.IsTec() {
		t.Errorf("%s: %s", r, r.Message())
	}
}
