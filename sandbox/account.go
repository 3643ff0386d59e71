package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// accountFlags are the flags of an AccountRoot that `account_info` tells by name.
var accountFlags = []struct {
	name string
	bit  uint64
}{
	{"passwordSpent", 0x00010000},
	{"requireDestinationTag", 0x00020000},
	{"requireAuthorization", 0x00040000},
	{"disallowIncomingXRP", 0x00080000},
	{"disableMasterKey", 0x00100000},
	{"noFreeze", 0x00200000},
	{"globalFreeze", 0x00400000},
	{"defaultRipple", 0x00800000},
	{"depositAuth", 0x01000000},
	{"disallowIncomingNFTokenOffer", 0x04000000},
	{"disallowIncomingCheck", 0x08000000},
	{"disallowIncomingPayChan", 0x10000000},
	{"disallowIncomingTrustline", 0x20000000},
	{"allowTrustLineClawback", 0x80000000},
	{"allowTrustLineLocking", 0x40000000},
}

const flagDisableMaster = 0x00100000

// accountInfo is `account_info` (AccountInfo.cpp).
func accountInfo(c *call) obj {
	ident := ""
	for _, field := range []string{"account", "ident"} {
		if !c.params.Has(field) {
			if field == "ident" {
				return missingField("account")
			}
			continue
		}
		v := c.params.Get(field)
		if !v.IsString() {
			return invalidField(field)
		}
		ident = v.AsString()
		break
	}
	result := obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	id, ok := codec.ParseAccountID(ident)
	if !ok {
		return inject(result, errActMalformed)
	}
	key := engine.AccountKey(id)
	root := l.Entry(key)
	if root == nil {
		result["account"] = id.String()
		return inject(result, errActNotFound)
	}
	queue := c.params.Get("queue").AsBool()
	if queue && !l.Open {
		return inject(result, errInvalidParams)
	}

	data := entryJSON(key, root)
	if root.Has(codec.SfEmailHash) {
		data["urlgravatar"] = fmt.Sprintf("https://www.gravatar.com/avatar/%x", root.Blob(codec.SfEmailHash))
	}
	result["account_data"] = data
	flags := obj{}
	for _, f := range accountFlags {
		flags[f.name] = root.Uint(codec.SfFlags)&f.bit != 0
	}
	result["account_flags"] = flags

	lists := c.params.Get("signer_lists")
	if c.version > 1 && c.params.Has("signer_lists") && !lists.IsBool() {
		return inject(result, errInvalidParams)
	}
	if lists.AsBool() {
		signers := []any{}
		k := engine.SignerListKey(id)
		if e := l.Entry(k); e != nil {
			signers = append(signers, entryJSON(k, e))
		}
		if c.version == 1 {
			data["signer_lists"] = signers
		} else {
			result["signer_lists"] = signers
		}
	}
	if queue {
		result["queue_data"] = queueData(c.node.QueueOf(id))
	}
	return result
}

// queueData tells what an account has in the queue.
func queueData(queued []engine.QueuedTx) obj {
	data := obj{"txn_count": len(queued)}
	if len(queued) == 0 {
		return data
	}
	var total int64
	blocker := false
	count, low, high := [2]int{}, [2]uint32{}, [2]uint32{} // of sequences, of tickets
	txs := make([]any, 0, len(queued))
	for _, q := range queued {
		kind, name := 0, "seq"
		if q.Ticket {
			kind, name = 1, "ticket"
		}
		if count[kind] == 0 {
			low[kind] = q.Seq
		}
		high[kind] = q.Seq
		count[kind]++
		t := queuedJSON(q)
		t[name] = q.Seq
		total += q.Fee + q.PotentialSpend
		blocker = blocker || q.Blocker
		txs = append(txs, t)
	}
	for kind, name := range []string{"sequence", "ticket"} {
		if count[kind] > 0 {
			data[name+"_count"] = count[kind]
			data["lowest_"+name] = low[kind]
			data["highest_"+name] = high[kind]
		}
	}
	data["transactions"] = txs
	data["auth_change_queued"] = blocker
	data["max_spend_drops_total"] = strconv.FormatInt(total, 10)
	return data
}

// queuedJSON is what is told of a queued transaction by both requests that tell of the queue.
func queuedJSON(q engine.QueuedTx) obj {
	t := obj{
		"fee_level":       strconv.FormatUint(q.FeeLevel, 10),
		"fee":             strconv.FormatInt(q.Fee, 10),
		"max_spend_drops": strconv.FormatInt(q.Fee+q.PotentialSpend, 10),
		"auth_change":     q.Blocker,
	}
	if q.LastValid != 0 {
		t["LastLedgerSequence"] = q.LastValid
	}
	return t
}

// deletionBlockers are the entries that keep an account from being deleted.
var deletionBlockers = []string{
	"check", "escrow", "nft_page", "payment_channel", "state", "xchain_owned_claim_id", "xchain_owned_create_account_claim_id", "bridge",
	"mpt_issuance", "mptoken", "permissioned_domain",
}

// accountObjects is `account_objects` (AccountObjects.cpp).
func accountObjects(c *call) obj {
	if !c.params.Has("account") {
		return missingField("account")
	}
	account := c.params.Get("account")
	if !account.IsString() {
		return invalidField("account")
	}
	result := obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	id, ok := codec.ParseAccountID(account.AsString())
	if !ok {
		return inject(result, errActMalformed)
	}
	if !l.Has(engine.AccountKey(id)) {
		return rpcError(errActNotFound)
	}

	var types []codec.LedgerEntryType // nil: all
	if c.params.Get("deletion_blockers_only").AsBool() {
		types = []codec.LedgerEntryType{}
		for _, name := range deletionBlockers {
			if t := c.params.Get("type"); !c.params.Has("type") || t.IsString() && t.AsString() == name {
				types = append(types, entryTypes[name])
			}
		}
	} else {
		switch t, st := c.chooseEntryType(); {
		case st != nil:
			return st.inject(obj{})
		case t == codec.LtAmendments, t == codec.LtDirectoryNode, t == codec.LtFeeSettings, t == codec.LtLedgerHashes, t == codec.LtNegativeUNL:
			return invalidField("type")
		case t != anyEntry:
			types = []codec.LedgerEntryType{t}
		}
	}
	limit, bad := c.readLimit(200)
	if bad != nil {
		return bad
	}
	var dir, entry codec.Hash256
	if c.params.Has("marker") {
		m := c.params.Get("marker")
		if !m.IsString() {
			return expectedField("marker", "string")
		}
		d, e, found := strings.Cut(m.AsString(), ",")
		if !found {
			return invalidField("marker")
		}
		if dir, ok = codec.ParseHash256(d); !ok {
			return invalidField("marker")
		}
		if entry, ok = codec.ParseHash256(e); !ok {
			return invalidField("marker")
		}
	}
	if !ownedEntries(l, id, types, dir, entry, int(limit), result) {
		return invalidField("marker")
	}
	result["account"] = id.String()
	return result
}

// ownedEntries walks an account's owner directory, page by page, each page in its own order, from an entry of a page on
// (getAccountObjects). The limit counts the entries that were looked at, not those that pass the filter: a page of the answer may
// be short, or empty, and yet have a marker. It tells false for a marker that names no entry.
func ownedEntries(l *engine.Ledger, id codec.AccountID, types []codec.LedgerEntryType, dir, entry codec.Hash256, limit int, result obj) bool {
	page := func(k codec.Hash256) *codec.Object {
		if e := l.Entry(k); e != nil && entryType(e) == codec.LtDirectoryNode {
			return e
		}
		return nil
	}
	if !dir.IsZero() && page(dir) == nil {
		return false
	}
	objects := []any{}
	defer func() { result["account_objects"] = objects }()
	root := engine.OwnerDirKey(id)
	found := false
	if dir.IsZero() {
		dir, found = root, true
	}
	node := page(dir)
	if node == nil {
		return true
	}
	more := func(dir, entry codec.Hash256) bool {
		result["limit"] = limit
		result["marker"] = dir.String() + "," + entry.String()
		return true
	}
	seen := 0
	for {
		entries := node.Hashes(codec.SfIndexes)
		if !found {
			at := slices.Index(entries, entry)
			if at < 0 {
				return false
			}
			entries, found = entries[at:], true
		}
		for i, key := range entries {
			e := l.Entry(key)
			if e == nil {
				continue
			}
			if types == nil || slices.Contains(types, entryType(e)) {
				objects = append(objects, shown(entryJSON(key, e)))
			}
			if seen++; seen == limit {
				if i+1 < len(entries) {
					return more(dir, entries[i+1])
				}
				break
			}
		}
		next := node.Uint(codec.SfIndexNext)
		if next == 0 {
			return true
		}
		dir = engine.PageKey(root, next)
		if node = page(dir); node == nil {
			return true
		}
		if seen == limit {
			if first := node.Hashes(codec.SfIndexes); len(first) > 0 {
				return more(dir, first[0])
			}
			return true
		}
	}
}
