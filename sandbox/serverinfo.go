package sandbox

import (
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// buildVersion is the release of xrpld that the server behaves as. Clients decide by it which transactions to send.
const buildVersion = "3.2.0"

// buildBranch and buildCommit name the sources of that release, as it reports them to administrators.
const (
	buildBranch = "release-3.2.0"
	buildCommit = "3c43f4614f87965298773279ff5b85d4c56c637b"
)

// loadBase is the load factor of a server without load.
const loadBase = 256

// identity is what a server tells of itself.
type identity struct {
	host, node string
	port       string
}

func newIdentity(port int) (identity, error) {
	seed := make(codec.Seed, 16)
	if _, err := rand.Read(seed); err != nil {
		return identity{}, fmt.Errorf("making the server's identity: %w", err)
	}
	pub, _ := codec.DeriveKeypair(seed, codec.Secp256k1)
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return identity{host, codec.EncodeNodePublic(pub), strconv.Itoa(port)}, nil
}

// serverInfo is `server_info`, in numbers for people.
func serverInfo(c *call) obj { return obj{"info": c.nodeInfo(true)} }

// serverState is `server_state`, in numbers for programs.
func serverState(c *call) obj { return obj{"state": c.nodeInfo(false)} }

// simulatedRound is the consensus time of a ledger that a stand-alone server closes, in milliseconds (Consensus.h, simulate).
const simulatedRound = 100

// nodeInfo is NetworkOPs::getServerInfo of a stand-alone server, as an administrator sees it.
func (c *call) nodeInfo(human bool) obj {
	s, l, m := c.srv, c.node.Closed(), c.node.FeeMetrics()
	now := s.cfg.Now().UTC()
	up := max(now.Sub(s.since()), 0)
	none := obj{"duration_us": "0", "transitions": "0"}
	info := obj{
		"build_version":              buildVersion,
		"git":                        obj{"branch": buildBranch, "hash": buildCommit},
		"server_state":               "full",
		"time":                       now.Format("2006-Jan-02 15:04:05.000000 UTC"),
		"validation_quorum":          0,
		"node_size":                  "small",
		"io_latency_ms":              1,
		"pubkey_validator":           "none",
		"pubkey_node":                s.id.node,
		"complete_ledgers":           completeLedgers(c.node),
		"peers":                      0,
		"load":                       s.counters.load(),
		"uptime":                     int64(up / time.Second),
		"jq_trans_overflow":          "0",
		"peer_disconnects":           "0",
		"peer_disconnects_resources": "0",
		"initial_sync_duration_us":   "0",
		"server_state_duration_us":   strconv.FormatInt(up.Microseconds(), 10),
		"ports":                      []any{obj{"port": s.id.port, "protocol": []any{"http", "ws"}}},
		"state_accounting": obj{
			"connected": none, "syncing": none, "tracking": none,
			"disconnected": obj{"duration_us": "0", "transitions": "1"},
			"full":         obj{"duration_us": strconv.FormatInt(up.Microseconds(), 10), "transitions": "1"},
		},
	}
	fees := l.Fees()
	v := obj{"seq": l.Seq, "hash": l.Hash.String()}
	converge := 0 // ms
	if l.Seq > s.firstClosed {
		converge = simulatedRound
	}
	escalation := mulDiv(m.OpenLevel, loadBase, m.ReferenceLevel)
	factor := max(loadBase, escalation)
	if human {
		info["hostid"] = s.id.host
		info["validator_list"] = obj{"count": 0, "expiration": "unknown", "status": "unknown"}
		info["last_close"] = obj{"converge_time_s": float64(converge) / 1000, "proposers": 0}
		info["load_factor"] = float64(factor) / loadBase
		if factor != loadBase {
			info["load_factor_server"] = 1
		}
		if m.OpenLevel != m.ReferenceLevel {
			info["load_factor_fee_escalation"] = float64(m.OpenLevel) / float64(m.ReferenceLevel)
		}
		if m.MinLevel != m.ReferenceLevel {
			info["load_factor_fee_queue"] = float64(m.MinLevel) / float64(m.ReferenceLevel)
		}
		v["base_fee_xrp"] = float64(fees.Base) / 1e6
		v["reserve_base_xrp"] = float64(fees.Reserve) / 1e6
		v["reserve_inc_xrp"] = float64(fees.ReserveInc) / 1e6
		v["age"] = int64(max(now.Sub(ledgerTime(l.CloseTime)), 0) / time.Second)
	} else {
		info["validator_list_expires"] = 0
		info["last_close"] = obj{"converge_time": converge, "proposers": 0}
		info["load_base"] = loadBase
		info["load_factor"] = clip32(factor)
		info["load_factor_server"] = loadBase
		info["load_factor_fee_escalation"] = clip32(m.OpenLevel)
		info["load_factor_fee_queue"] = clip32(m.MinLevel)
		info["load_factor_fee_reference"] = clip32(m.ReferenceLevel)
		v["base_fee"] = fees.Base
		v["reserve_base"] = fees.Reserve
		v["reserve_inc"] = fees.ReserveInc
		v["close_time"] = l.CloseTime
	}
	info["validated_ledger"] = v
	if c.params.Get("counters").AsBool() {
		info["counters"] = obj{"rpc": s.counters.json(), "job_queue": obj{}, "nodestore": obj{}}
		info["current_activities"] = obj{"jobs": []any{}, "methods": s.counters.running()}
	}
	return info
}

func completeLedgers(n *engine.Node) string { return ledgerRange(n.Range()) }

func ledgerRange(first, last uint32) string {
	if first == last {
		return strconv.FormatUint(uint64(first), 10)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

func mulDiv(a, b, c uint64) uint64 {
	if c == 0 {
		return 0
	}
	if a > (1<<64-1)/b {
		return 1<<64 - 1
	}
	return a * b / c
}

// clip32 is how rippled writes a number that may be too great for its JSON.
func clip32(n uint64) uint64 { return min(n, 1<<32-1) }

// fee is `fee` (TxQ::doRPC).
func fee(c *call) obj {
	m := c.node.FeeMetrics()
	dec := func(n uint64) string { return strconv.FormatUint(n, 10) }
	base := uint64(m.BaseFee)
	effective := base // with a base fee of 0 escalation would have nothing to escalate
	if base == 0 && m.OpenLevel != m.ReferenceLevel {
		effective = 1
	}
	drops := func(level, base uint64) uint64 { return mulDiv(level, base, m.ReferenceLevel) }
	open := drops(m.OpenLevel, effective)
	if effective != 0 && mulDiv(open, m.ReferenceLevel, effective) < m.OpenLevel {
		open++
	}
	least := base
	if m.QueueMax == 0 || m.QueueSize >= m.QueueMax {
		least = effective
	}
	result := obj{
		"ledger_current_index": c.node.Current().Seq,
		"expected_ledger_size": strconv.Itoa(m.TxPerLedger),
		"current_ledger_size":  strconv.Itoa(m.TxInLedger),
		"current_queue_size":   strconv.Itoa(m.QueueSize),
		"levels": obj{
			"reference_level":   dec(m.ReferenceLevel),
			"minimum_level":     dec(m.MinLevel),
			"median_level":      dec(m.MedianLevel),
			"open_ledger_level": dec(m.OpenLevel),
		},
		"drops": obj{
			"base_fee":        dec(base),
			"median_fee":      dec(drops(m.MedianLevel, base)),
			"minimum_fee":     dec(drops(m.MinLevel, least)),
			"open_ledger_fee": dec(open),
		},
	}
	if m.QueueMax != 0 {
		result["max_queue_size"] = strconv.Itoa(m.QueueMax)
	}
	return result
}

// ping is `ping`.
func ping(c *call) obj {
	result := obj{"role": "admin"}
	if c.conn != nil {
		result["unlimited"] = true
	}
	return result
}

// version is `version` (Version.h): which versions of the API are answered, in the words of each.
func version(c *call) obj {
	if c.version == apiFirst {
		return obj{"version": obj{"first": "1.0.0", "good": "1.0.0", "last": "1.0.0"}}
	}
	return obj{"version": obj{"first": apiFirst, "last": apiLast}}
}

// random is `random`.
func random(*call) obj {
	var b codec.Hash256
	if _, err := rand.Read(b[:]); err != nil {
		return rpcError(errInternal)
	}
	return obj{"random": b.String()}
}

// features returns what `feature` says of each amendment, by id, and the ids by name.
var features = sync.OnceValues(func() (map[codec.Hash256]obj, map[string]codec.Hash256) {
	all, ids := map[codec.Hash256]obj{}, map[string]codec.Hash256{}
	for _, a := range engine.EnabledAmendments() {
		all[a.ID] = obj{"name": a.Name, "supported": true, "enabled": true}
		ids[a.Name] = a.ID
	}
	for _, a := range engine.RetiredAmendments() {
		all[a.ID] = obj{"name": a.Name, "supported": true, "enabled": false, "vetoed": "Obsolete"}
		ids[a.Name] = a.ID
	}
	return all, ids
})

// maxUnknownAmendments is how many amendments a server gets to know by votes. xrpld has no bound.
const maxUnknownAmendments = 256

// amendmentVotes are the votes on amendments that this release does not know (AmendmentTable.cpp). Votes on those that it knows
// have no effect: each is enabled or retired.
type amendmentVotes struct {
	mu     sync.Mutex
	vetoed map[codec.Hash256]bool
}

// vote records a veto, or takes back one that was recorded.
func (v *amendmentVotes) vote(id codec.Hash256, veto bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, known := v.vetoed[id]
	if !known && (!veto || len(v.vetoed) >= maxUnknownAmendments) {
		return
	}
	if v.vetoed == nil {
		v.vetoed = map[codec.Hash256]bool{}
	}
	v.vetoed[id] = veto
}

// shown is what `feature` says of an unknown amendment; nil where nobody voted on it.
func (v *amendmentVotes) shown(id codec.Hash256) obj {
	v.mu.Lock()
	defer v.mu.Unlock()
	vetoed, known := v.vetoed[id]
	if !known {
		return nil
	}
	return obj{"supported": false, "enabled": false, "vetoed": vetoed}
}

func (v *amendmentVotes) ids() []codec.Hash256 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Keys(v.vetoed))
}

// votingInterval is how many ledgers lie between two flag ledgers, on which amendments are voted (Protocol.h).
const votingInterval = 256

// withVote adds the result of the last vote to an amendment that is not enabled. The vote is taken when the ledger after a flag
// ledger closes, and no validator takes part in it. A server forgets it when it ends (AmendmentTable.cpp, injectJson).
func (c *call) withVote(f obj) obj {
	seq := c.node.Closed().Seq
	flag := (seq - 1) / votingInterval * votingInterval
	if f["enabled"] == true || flag == 0 || flag < c.srv.firstClosed {
		return f
	}
	f = maps.Clone(f)
	f["count"], f["validations"], f["threshold"] = 0, 0, 1
	return f
}

// feature is `feature` (Feature.cpp).
func feature(c *call) obj {
	features, ids := features()
	if !c.params.Has("feature") {
		all := obj{}
		for id, f := range features {
			all[id.String()] = c.withVote(f)
		}
		for _, id := range c.srv.votes.ids() {
			all[id.String()] = c.withVote(c.srv.votes.shown(id))
		}
		return obj{"features": all}
	}
	if !c.params.Get("feature").IsString() {
		return rpcError(errInvalidParams)
	}
	name := c.params.Get("feature").AsString()
	id, ok := ids[name]
	if !ok {
		if id, ok = codec.ParseHash256(name); !ok {
			return rpcError(errBadFeature)
		}
	}
	f := features[id]
	if f == nil {
		if c.params.Has("vetoed") {
			c.srv.votes.vote(id, c.params.Get("vetoed").AsBool())
		}
		if f = c.srv.votes.shown(id); f == nil {
			return rpcError(errBadFeature)
		}
	}
	return obj{id.String(): c.withVote(f)}
}

// rpcCounters count requests by method, as rippled's PerfLog does.
type rpcCounters struct {
	mu      sync.Mutex
	methods map[string]*methodCount
	now     func() time.Time
	current map[int64]activity
	next    int64
}

type methodCount struct {
	started, finished, errored, micros int64
}

type activity struct {
	method string
	since  time.Time
}

func newCounters(now func() time.Time) *rpcCounters {
	return &rpcCounters{methods: map[string]*methodCount{}, now: now, current: map[int64]activity{}}
}

// start counts a request that begins; the function it returns is called when it has ended.
func (k *rpcCounters) start(name string) func(failed bool) {
	begin := k.now()
	k.mu.Lock()
	m := k.methods[name]
	if m == nil {
		m = &methodCount{}
		k.methods[name] = m
	}
	m.started++
	id := k.next
	k.next++
	k.current[id] = activity{name, begin}
	k.mu.Unlock()
	return func(failed bool) {
		took := k.now().Sub(begin)
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.current, id)
		m.micros += took.Microseconds()
		if failed {
			m.errored++
		} else {
			m.finished++
		}
	}
}

func (m *methodCount) json() obj {
	dec := func(n int64) string { return strconv.FormatInt(n, 10) }
	return obj{"started": dec(m.started), "finished": dec(m.finished), "errored": dec(m.errored), "duration_us": dec(m.micros)}
}

func (k *rpcCounters) json() obj {
	k.mu.Lock()
	defer k.mu.Unlock()
	var total methodCount
	all := obj{}
	for name, m := range k.methods {
		all[name] = m.json()
		total.started += m.started
		total.finished += m.finished
		total.errored += m.errored
		total.micros += m.micros
	}
	all["total"] = total.json()
	return all
}

func (k *rpcCounters) running() []any {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, all := k.now(), []any{}
	for _, a := range k.current {
		all = append(all, obj{"method": a.method, "duration_us": strconv.FormatInt(now.Sub(a.since).Microseconds(), 10)})
	}
	return all
}

func (k *rpcCounters) load() obj {
	k.mu.Lock()
	defer k.mu.Unlock()
	return obj{"threads": 1, "job_types": []any{obj{"job_type": "clientRPC", "in_progress": len(k.current)}}}
}
