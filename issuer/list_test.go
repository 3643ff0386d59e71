package issuer

import (
	"errors"
	"slices"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// list returns the types of a list.
func list(t *testing.T, i *Issuer, which model.Acceptance) (types []model.CredentialType, err error) {
	t.Helper()
	for c, err := range i.List(t.Context(), which) {
		if err != nil {
			return types, err
		}
		types = append(types, c.Type)
	}
	return types, nil
}

func TestListFromIndex(t *testing.T) {
	t.Parallel()
	fromIndex, fromLedger := []model.CredentialType{"A", "B"}, []model.CredentialType{"FromTheLedger"}
	unavailable := &model.Error{Code: model.CodeStoreUnavailable}
	for name, c := range map[string]struct {
		change func(*indexWorld)
		want   []model.CredentialType
		err    error
	}{
		"complete":               {func(*indexWorld) {}, fromIndex, nil},
		"ahead":                  {func(w *indexWorld) { w.complete = 101 }, fromIndex, nil},
		"two ledgers behind":     {func(w *indexWorld) { w.complete, w.advances = 98, true }, fromIndex, nil},
		"far behind":             {func(w *indexWorld) { w.complete, w.advances = 97, true }, fromLedger, nil},
		"behind and not moving":  {func(w *indexWorld) { w.complete = 99 }, fromLedger, nil},
		"not equal":              {func(w *indexWorld) { w.known = false }, fromLedger, nil},
		"the database is away":   {func(w *indexWorld) { w.indexErr = unavailable }, fromLedger, nil},
		"it breaks off":          {func(w *indexWorld) { w.brokenErr = unavailable }, fromIndex, unavailable},
		"the ledger is away":     {func(w *indexWorld) { w.lastErr = &model.Error{Code: model.CodeLedgerUnavailable} }, nil, &model.Error{Code: model.CodeLedgerUnavailable}},
		"nothing in the account": {func(w *indexWorld) { w.records = nil }, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newIndexWorld()
			w.add("alice", "A")
			w.add("bob", "B")
			c.change(w)
			types, err := list(t, w.issuer(), model.AnyAcceptance)
			if !slices.Equal(types, c.want) || model.CodeOf(err) != model.CodeOf(c.err) {
				t.Errorf("listed %q, %v", types, err)
			}
		})
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	w := newIndexWorld()
	w.add("alice", "A")
	w.add("bob", "B")
	w.records[1].Accepted = true
	i := w.issuer()
	for which, want := range map[model.Acceptance][]model.CredentialType{model.Accepted: {"B"}, model.Unaccepted: {"A"}, model.AnyAcceptance: {"A", "B"}} {
		if types, err := list(t, i, which); err != nil || !slices.Equal(types, want) {
			t.Errorf("listed %q, %v, want %q", types, err, want)
		}
	}
}

// Lists beyond the bound are read from the ledger, and a list that is left early gives its place back.
func TestListsAtOnce(t *testing.T) {
	t.Parallel()
	w := newIndexWorld()
	w.add("alice", "A")
	i := w.issuer()
	var nested func(depth int)
	nested = func(depth int) {
		for c, err := range i.List(t.Context(), model.AnyAcceptance) {
			want := model.CredentialType("A")
			if depth >= listsAtOnce {
				want = "FromTheLedger"
			}
			if err != nil || c.Type != want {
				t.Errorf("list %d at a time has %q, %v", depth+1, c.Type, err)
			}
			if depth <= listsAtOnce {
				nested(depth + 1)
			}
			break
		}
	}
	nested(0)
	if len(i.lists) != 0 {
		t.Errorf("%d places are taken", len(i.lists))
	}
	for range i.List(t.Context(), model.AnyAcceptance) {
		break
	}
	if err := i.listIndexed(t.Context(), model.AnyAcceptance, func(model.Credential, error) bool { return false }); !errors.Is(err, errListEnded) {
		t.Error(err)
	}
}
