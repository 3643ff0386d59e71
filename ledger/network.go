package ledger

import (
	"context"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// OtherNetworkError says that a node's ledger is not the one that was known, and what shows it.
type OtherNetworkError struct{ Proof string }

func (e *OtherNetworkError) Error() string { return "the node shows another ledger: " + e.Proof }

// errBehind is the cause where the node's last validated ledger is older than one that was seen.
var errBehind = errors.New("the node has not come as far as what was seen of the ledger")

// Network returns what tells the ledger that the node follows from others. First and Last are its last validated
// ledger. Error code: [model.CodeLedgerUnavailable].
func (c *Client) Network(ctx context.Context) (model.Network, error) {
	const doing = "reading which network it is"
	info, err := c.ServerInfo(ctx)
	if err != nil {
		return model.Network{}, unavailable(doing, err)
	}
	last, err := c.shown(ctx)
	if err != nil {
		return model.Network{}, unavailable(doing, err)
	}
	last = mark(last)
	n := model.Network{ID: info.NetworkID, First: last, Last: last}
	if last.Index > model.FlagInterval {
		at := (last.Index - 1) / model.FlagInterval * model.FlagInterval
		hash, known, err := c.hashBefore(ctx, last, at)
		if err != nil {
			return model.Network{}, unavailable(doing, err)
		}
		if known {
			n.Flag = model.Ledger{Index: at, Hash: hash}
		}
	}
	return n, nil
}

// shown is the node's last validated ledger, with its header verified where ledgers are to be proven, and whatever it follows.
func (c *Client) shown(ctx context.Context) (model.Ledger, error) {
	l, err := c.reported(ctx)
	if err == nil && c.chain != nil {
		_, err = c.announced(ctx, l)
		err = c.chain.count(err)
	}
	return l, err
}

// mark is a ledger without what things cost in it.
func mark(l model.Ledger) model.Ledger {
	return model.Ledger{Index: l.Index, Hash: l.Hash, CloseTime: l.CloseTime}
}

// SameNetwork looks at the node's ledger again, and returns what there is to know of it now, where nothing shows that it
// is another than known. The error is an [OtherNetworkError] where something does: a network id, where both are said; a
// ledger with another hash; or ledgers and close times that cannot be on one history, as both only ever rise together.
// No node is refused for what it does not hold. Where its last validated ledger is older than the newest one seen, and
// nothing shows that it is another's, it may be behind: that is [model.CodeLedgerUnavailable], as no answer is.
func (c *Client) SameNetwork(ctx context.Context, known model.Network) (model.Network, error) {
	now, err := c.Network(ctx)
	if err != nil {
		return now, err
	}
	other := func(format string, args ...any) (model.Network, error) {
		if c.chain != nil {
			c.chain.contradictions.Add(1)
		}
		return now, &OtherNetworkError{fmt.Sprintf(format, args...)}
	}
	if now.ID != known.ID && now.ID != 0 && known.ID != 0 {
		return other("its network id is %d, and was %d", now.ID, known.ID)
	}
	for _, l := range []model.Ledger{known.Last, known.First} {
		if (now.Last.Index < l.Index && now.Last.CloseTime >= l.CloseTime) || (now.Last.Index > l.Index && now.Last.CloseTime <= l.CloseTime) {
			return other("its ledger %d closed at %s, and ledger %d at %s", now.Last.Index, model.FormatTime(now.Last.CloseTime),
				l.Index, model.FormatTime(l.CloseTime))
		}
	}
	// A ledger stands for all before it: the newest that the node can show decides.
	for _, l := range []model.Ledger{known.Last, known.Flag, known.First} {
		if l.Index == 0 || l.Index > now.Last.Index {
			continue
		}
		hash, shown, err := c.hashBefore(ctx, now.Last, l.Index)
		switch {
		case err != nil:
			return now, unavailable("reading an older ledger's hash", err)
		case shown && hash != l.Hash:
			return other("its ledger %d is %s, and was %s", l.Index, hash, l.Hash)
		}
		if shown {
			break
		}
	}
	if now.Last.Index < known.Last.Index {
		return now, &model.Error{Code: model.CodeLedgerUnavailable, RetryAfter: retryAfter,
			Message: fmt.Sprintf("the node's last validated ledger is %d, and ledger %d has been seen: it is behind", now.Last.Index, known.Last.Index),
			Cause:   errBehind}
	}
	if c.chain != nil {
		if err := c.chain.prove(ctx, now.Last); err != nil {
			return now, unavailable("proving the newest ledger", err)
		}
	}
	now.First = known.First
	if known.Flag.Index != 0 {
		now.Flag = known.Flag
	}
	return now, nil
}

// Behind says whether the node has answered, with a ledger that is older than one that was seen.
func Behind(err error) bool { return errors.Is(err, errBehind) }

// hashBefore returns the hash of a ledger up to last, where the node can show it: from what every ledger holds of those
// before it, which is the last 256 and the flag ledgers; else from its history.
func (c *Client) hashBefore(ctx context.Context, last model.Ledger, index uint32) (hash string, shown bool, err error) {
	if index == last.Index {
		return last.Hash, true, nil
	}
	hash, shown, err = c.hashIn(ctx, last, index)
	if err != nil || shown {
		return hash, shown, err
	}
	if c.chain != nil {
		return c.hashOf(ctx, index)
	}
	var l model.Ledger
	err = c.call(ctx, "ledger", map[string]any{"ledger_index": index}, func(raw json.RawMessage) error { return decodeLedger(raw, &l) })
	switch {
	case missing(err):
		return "", false, nil
	case err != nil:
		return "", false, err
	case l.Index != index:
		return "", false, &AnswerError{Method: "ledger", Reason: fmt.Sprintf("it is about ledger %d, not %d", l.Index, index)}
	}
	return l.Hash, true, nil
}

// skipKey is the key of the LedgerHashes entry with the last 256 hashes, or of the one with those of the flag ledgers of
// a page of 65,536 ledgers (rippled: Indexes.cpp, keylet::skip).
func skipKey(page ...uint32) string {
	b := []byte{0, 's'}
	for _, p := range page {
		b = binary.BigEndian.AppendUint32(b, p)
	}
	sum := sha512.Sum512(b)
	return strings.ToUpper(fmt.Sprintf("%x", sum[:32]))
}

// decodeHashes takes a ledger's hash from a LedgerHashes entry; "" where it is not in there.
func decodeHashes(raw json.RawMessage, key string, index uint32) (string, error) {
	var a struct {
		Index     string `json:"index"`
		Validated bool   `json:"validated"`
		Node      struct {
			Type   string          `json:"LedgerEntryType"`
			Hashes []string        `json:"Hashes"`
			Last   json.RawMessage `json:"LastLedgerSequence"`
		} `json:"node"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return "", err
	}
	var last uint32
	switch {
	case !a.Validated:
		return "", errors.New("it is not from a validated ledger")
	case a.Index != key || a.Node.Type != "LedgerHashes":
		return "", fmt.Errorf("it is about another entry, a %s", excerpt([]byte(a.Node.Type)))
	}
	if err := number(a.Node.Last, "LastLedgerSequence", &last); err != nil {
		return "", err
	}
	if index > last {
		return "", nil
	}
	back := int(last - index)
	if key != skipKey() {
		back /= model.FlagInterval
	}
	if back >= len(a.Node.Hashes) {
		return "", nil
	}
	hash := a.Node.Hashes[len(a.Node.Hashes)-1-back]
	return hash, hash256(hash, "a hash of the list")
}
