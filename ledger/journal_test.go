package ledger

import (
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// An outcome that no second node confirms is not the journal's fault.
func TestJournalTrouble(t *testing.T) {
	t.Parallel()
	for code, want := range map[model.Code]string{
		model.CodeStoreUnavailable:  "the journal cannot be written",
		model.CodeLedgerUnavailable: "outcomes are not confirmed by a second node",
	} {
		b := laneBook{trouble: &model.Error{Code: code}}
		if !strings.HasPrefix(b.message(), want+" ") || !strings.HasPrefix(b.warning(b.trouble), want+";") {
			t.Errorf("%s: %q, %q", code, b.message(), b.warning(b.trouble))
		}
	}
}
