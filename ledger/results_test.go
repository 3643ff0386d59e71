package ledger

import (
	"strings"
	"testing"

	"github.com/Peersyst/xrpl-go/binary-codec/definitions"
)

// Every engine result that the codec knows has a next action, and none that a table names is one it does not know.
func TestEveryResultHasAnAction(t *testing.T) {
	known := definitions.Get().TransactionResults
	if len(known) < 100 {
		t.Fatalf("the codec knows %d results only", len(known))
	}
	for result := range known { // by its own name, not by its class
		if resultActions[result] == 0 {
			t.Errorf("%s has no next action", result)
		}
	}
	for result := range resultActions {
		if _, ok := known[result]; !ok {
			t.Errorf("the table names %s, which the codec does not know", result)
		}
	}
	for result := range refusals {
		if code, ok := known[result]; !ok || !strings.HasPrefix(result, "tec") || code < 100 {
			t.Errorf("%s is no final refusal", result)
		}
	}
}

// What an action may do follows from its class: only those that a ledger may hold wait.
func TestActionsFitTheirClass(t *testing.T) {
	allowed := map[string][]action{
		"tes": {actAwait},
		"tec": {actAwait},
		"ter": {actQueued, actResend},
		"tef": {actAwait, actLookUp, actRefused},
		"tel": {actResend, actSlow, actReprice, actRefused, actNetwork},
		"tem": {actRefused},
	}
	for result := range definitions.Get().TransactionResults {
		class, _, _ := cutClass(result)
		fits := false
		for _, a := range allowed[class] {
			fits = fits || a == actionFor(result)
		}
		if !fits {
			t.Errorf("%s: action %d is none of class %s", result, actionFor(result), class)
		}
	}
	tests := map[string]action{
		"tesSUCCESS": actAwait, "tecDUPLICATE": actAwait, "tecNEW_ONE": actAwait, "terQUEUED": actQueued, "terPRE_SEQ": actResend,
		"tefPAST_SEQ": actLookUp, "tefMAX_LEDGER": actLookUp, "tefALREADY": actAwait, "tefBAD_AUTH": actRefused, "tefMASTER_DISABLED": actRefused,
		"telINSUF_FEE_P": actReprice, "telCAN_NOT_QUEUE_FULL": actSlow, "telWRONG_NETWORK": actNetwork, "temMALFORMED": actRefused, "temDISABLED": actRefused,
		"": 0, "te": 0, "xyzNEW": 0, "TESsuccess": 0, "telNEW_ONE": 0,
	}
	for result, want := range tests {
		if got := actionFor(result); got != want {
			t.Errorf("%q: action %d, want %d", result, got, want)
		}
	}
	for _, result := range []string{"tecDUPLICATE", "tecOTHER"} {
		if refusalText(result) == "" {
			t.Errorf("%s has no words", result)
		}
	}
}
