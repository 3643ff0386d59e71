package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/webhook"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

const (
	// scrapeLimit bounds what a scrape asks of the node and of the database.
	scrapeLimit = 2 * time.Second
	// maxResults bounds the values of the label result, which come from the node in the end.
	maxResults = 200
)

// metrics is what GET /metrics tells, in a registry of its own. Its labels have few values, whatever clients and nodes
// say, and none of them holds an address, an id or a key.
type metrics struct {
	registry *prometheus.Registry

	ended     *prometheus.CounterVec
	validated prometheus.Histogram
	signed    prometheus.Counter
	fees      prometheus.Counter
	requests  *prometheus.CounterVec
	took      *prometheus.HistogramVec

	mu      sync.Mutex
	results map[string]bool // the values that the label result has had
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), results: map[string]bool{}}
	m.ended = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "issuer_operations_total",
		Help: "Operations that this process has concluded, by final state, and by engine result or code of failure."}, []string{"state", "result"})
	m.validated = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "issuer_time_to_validation_seconds",
		Help:    "From an operation's being stored to its result in a validated ledger being stored.",
		Buckets: []float64{.25, .5, 1, 2, 4, 6, 8, 12, 16, 30, 60, 120, 300, 900, 3600}})
	m.signed = prometheus.NewCounter(prometheus.CounterOpts{Name: "issuer_signed_total",
		Help: "Transactions signed and journalled by this process."})
	m.fees = prometheus.NewCounter(prometheus.CounterOpts{Name: "issuer_fees_drops_total",
		Help: "Fees of validated transactions that this process has concluded, in drops."})
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total",
		Help: "HTTP requests, by the pattern of their route."}, []string{"route", "method", "status"})
	m.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds",
		Help:    "How long HTTP requests took, the wait for a validated ledger included.",
		Buckets: []float64{.005, .025, .1, .5, 1, 2, 4, 8, 16, 30, 60}}, []string{"route", "method"})
	m.registry.MustRegister(m.ended, m.validated, m.signed, m.fees, m.requests, m.took,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// handler serves what there is to tell.
func (m *metrics) handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	})
}

// request is told of each HTTP request.
func (m *metrics) request(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.took.WithLabelValues(route, method).Observe(took.Seconds())
}

// result is a value of the label result.
func (m *metrics) result(o model.Outcome) string {
	r := "none"
	switch {
	case o.Result != nil:
		r = o.Result.EngineResult
	case o.Failure != nil:
		r = string(o.Failure.Code)
	}
	if len(r) > 40 || strings.Trim(r, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "other"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.results[r] {
		if len(m.results) >= maxResults {
			return "other"
		}
		m.results[r] = true
	}
	return r
}

// concluded counts what a lane has stored.
func (m *metrics) concluded(outcomes []model.Outcome, now time.Time) {
	for _, o := range outcomes {
		if !o.State.Final() {
			continue
		}
		m.ended.WithLabelValues(string(o.State), m.result(o)).Inc()
		if o.Result == nil {
			continue
		}
		m.validated.Observe(max(now.Sub(o.Operation.Time()), 0).Seconds())
		var body struct {
			Tx struct {
				Fee string
			} `json:"tx_json"`
		}
		if json.Unmarshal(o.Result.Body, &body) == nil {
			if drops, err := strconv.ParseInt(body.Tx.Fee, 10, 64); err == nil && drops > 0 {
				m.fees.Add(float64(drops))
			}
		}
	}
}

// journal is the store as the lane has it: nothing is written through it while the node may show another ledger than the
// journal's, and what is written is counted once it is stored.
type journal struct {
	*store.Store
	guard   *networkGuard
	metrics *metrics
	// witnesses confirm outcomes before they are stored; nil confirms all.
	witnesses *ledger.Witnesses
	account   model.Address
	now       func() time.Time
}

// attempts returns what was signed for an operation.
func (j journal) attempts(ctx context.Context, id model.OperationID) ([]model.Attempt, error) {
	op, err := j.Operation(ctx, id)
	return op.Attempts, err
}

func (j journal) Sign(ctx context.Context, fence model.Fence, attempts []model.Attempt) error {
	if err := j.guard.wait(ctx); err != nil {
		return err
	}
	err := j.Store.Sign(ctx, fence, attempts)
	if err == nil {
		j.metrics.signed.Add(float64(len(attempts)))
	}
	return err
}

// SignOwn implements [ledger.Journal].
func (j journal) SignOwn(ctx context.Context, fence model.Fence, ops []model.Operation, attempts []model.Attempt) ([]model.OperationID, error) {
	if err := j.guard.wait(ctx); err != nil {
		return nil, err
	}
	return j.Store.SignOwn(ctx, fence, ops, attempts)
}

func (j journal) Conclude(ctx context.Context, fence model.Fence, outcomes []model.Outcome) error {
	if err := j.guard.wait(ctx); err != nil {
		return err
	}
	if err := j.witnesses.ConfirmOutcomes(ctx, j.account, outcomes, j.attempts); err != nil {
		return err
	}
	err := j.Store.Conclude(ctx, fence, outcomes)
	if err == nil {
		j.metrics.concluded(outcomes, j.now())
	}
	return err
}

// watch adds what is asked for at each scrape: of the node, and of the database.
func (m *metrics) watch(s *scraped) { m.registry.MustRegister(s) }

type nodeReader interface {
	Faults() (contradictions, unproven uint64)
	Ledger(ctx context.Context) (model.Ledger, error)
	Account(ctx context.Context, a model.Address) (model.Account, error)
	Health() ledger.Health
}

type depthReader interface {
	Depth(ctx context.Context, issuer model.Address) (store.Depth, error)
	CountRequests(ctx context.Context, issuer model.Address, now time.Time) (model.RequestCounts, error)
	MirrorStatus(ctx context.Context, issuer model.Address) (model.MirrorStatus, error)
	Backlogs(ctx context.Context, issuer model.Address) ([]model.Backlog, error)
	OpenRollbacks(ctx context.Context) (int64, error)
}

type keeperReader interface{ Status() issuer.KeeperStatus }

type senderReader interface {
	Status() []webhook.EndpointStatus
}

// quarantineReader counts operations that were refused because the database changed them.
type quarantineReader interface{ Quarantined() uint64 }

type laneReader interface{ Stats() ledger.Stats }

// scraped is a [prometheus.Collector].
type scraped struct {
	account   model.Address
	node      nodeReader
	witnesses *ledger.Witnesses
	depth     depthReader
	lane      laneReader
	keeper    keeperReader
	sender    senderReader
	now       func() time.Time
	authentic quarantineReader
	checks    []issuer.Check
}

var (
	openDesc      = prometheus.NewDesc("issuer_operations_open", "Operations of the issuing account that are not final, of all processes.", []string{"state"}, nil)
	rollbackDesc  = prometheus.NewDesc("issuer_database_rollbacks", "How many times the database lost committed transactions, until somebody acknowledges it.", nil, nil)
	storeDesc     = prometheus.NewDesc("issuer_store_up", "1 where the database answers.", nil, nil)
	blockedDesc   = prometheus.NewDesc("issuer_node_amendment_blocked", "1 where the node has reported that it is amendment blocked: it follows its network no more.", nil, nil)
	nodeDesc      = prometheus.NewDesc("issuer_node_up", "1 where the node answers, is in sync with its network, and its last validated ledger is not too old.", nil, nil)
	limitedDesc   = prometheus.NewDesc("issuer_node_limited_total", "Requests of this process that the node refused past its limit, and warnings of one.", nil, nil)
	faultsDesc    = prometheus.NewDesc("issuer_node_faults_total", "What the node said that was not accepted: contradiction (of itself, or of the ledgers that are proven), unproven (it does not show enough), or disagreement (with a node of XRPL_NODES).", []string{"kind"}, nil)
	silencesDesc  = prometheus.NewDesc("issuer_node_stream_silences_total", "How often the node's streams fell silent on an open connection of this process, and were subscribed to again.", nil, nil)
	ledgerDesc    = prometheus.NewDesc("issuer_ledger_index", "The last validated ledger.", nil, nil)
	ledgerAgeDesc = prometheus.NewDesc("issuer_ledger_age_seconds", "How long ago the last validated ledger closed, by this machine's clock.", nil, nil)
	balanceDesc   = prometheus.NewDesc("issuer_balance_drops", "The issuing account's balance, the reserve included.", nil, nil)
	resentDesc    = prometheus.NewDesc("issuer_resubmissions_total", "Transactions that this process has handed to the node again, the very same blob.", nil, nil)
	anewDesc      = prometheus.NewDesc("issuer_signed_anew_total", "Operations that this process has signed anew: absent (one before is proved to be on no ledger) or fee (the same sequence, and a higher fee).", []string{"why"}, nil)
	flightDesc    = prometheus.NewDesc("issuer_lane_in_flight", "Transactions that this process has signed and that are not validated.", nil, nil)
	ticketsDesc   = prometheus.NewDesc("issuer_tickets", "Tickets in stock.", nil, nil)
	undecidedDesc = prometheus.NewDesc("issuer_operations_undecided", "Operations that the node cannot decide, as it lacks the history. They hold up no others.", nil, nil)
	holesDesc     = prometheus.NewDesc("issuer_history_holes_total", "Operations whose transaction the node did not show, and that the ledger entry decided.", nil, nil)
	refusalsDesc  = prometheus.NewDesc("issuer_submissions_refused_total", "Submissions that the node refused for good, by its provisional answer.", nil, nil)
	stalledDesc   = prometheus.NewDesc("issuer_submitter_stalled", "1 where nothing of the issuing account was validated for several ledgers while work is pending.", nil, nil)
	gapsDesc      = prometheus.NewDesc("issuer_sequence_gaps_filled_total", "Gaps in the account's sequences that this process has filled: another program's transaction was not validated.", nil, nil)
	feeOverDesc   = prometheus.NewDesc("issuer_fee_above_limit", "1 while the ledger asks more for a transaction than MAX_FEE_DROPS.", nil, nil)
	networkDesc   = prometheus.NewDesc("issuer_network_id_refusals_total", "Submissions that the node refused for their network id.", nil, nil)
	workingDesc   = prometheus.NewDesc("issuer_lane_held", "1 where this process has the issuing account's lane.", nil, nil)
	reserveDesc   = prometheus.NewDesc("issuer_reserve_left_drops", "What the issuing account holds beyond its reserve: each credential that nobody accepted yet takes one increment.", nil, nil)
	roomDesc      = prometheus.NewDesc("issuer_room_for_credentials", "How many more credentials the issuing account's XRP suffices for.", nil, nil)
	standingDesc  = prometheus.NewDesc("issuer_credentials", "Credentials on the ledger, as far as the records follow it: all that stand, and of those the unaccepted and the expired.", []string{"which"}, nil)
	recordsDesc   = prometheus.NewDesc("issuer_records_ledger_index", "The last ledger that the records of credentials have all of.", nil, nil)
	waitingDesc   = prometheus.NewDesc("issuer_requests_waiting", "Requests that wait for a person to decide.", nil, nil)
	overdueDesc   = prometheus.NewDesc("issuer_requests_overdue", "Of those that wait, the ones that nobody has decided on in their time, and that are about to lapse.", nil, nil)
	erasableDesc  = prometheus.NewDesc("issuer_documents_overdue", "Requests whose documents are to be erased now.", nil, nil)
	keeperDesc    = prometheus.NewDesc("issuer_keeper_actions_total", "What this process has done to keep house.", []string{"action"}, nil)
	backlogDesc   = prometheus.NewDesc("issuer_webhook_backlog", "Events that a webhook is still to be told of.", []string{"webhook"}, nil)
	failingDesc   = prometheus.NewDesc("issuer_check_failing", "1 for each condition of this process that fails, without which it issues nothing while it has the lane.", []string{"check"}, nil)
	forgedDesc    = prometheus.NewDesc("issuer_operations_quarantined_total", "Pending operations that this process has refused because their rows in the database were not authentic.", nil, nil)
	deliveredDesc = prometheus.NewDesc("issuer_webhook_deliveries_total", "Attempts of this process to tell a webhook of an event: delivered, or failed; and events that were given up.", []string{"webhook", "result"}, nil)
)

// Describe implements [prometheus.Collector].
func (s *scraped) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{openDesc, storeDesc, rollbackDesc, nodeDesc, blockedDesc, limitedDesc, silencesDesc, faultsDesc, ledgerDesc, ledgerAgeDesc, balanceDesc, reserveDesc, resentDesc, anewDesc, flightDesc, ticketsDesc, workingDesc,
		undecidedDesc, holesDesc, refusalsDesc, stalledDesc, gapsDesc, feeOverDesc, networkDesc,
		roomDesc, standingDesc, recordsDesc, waitingDesc, overdueDesc, erasableDesc, keeperDesc, backlogDesc, deliveredDesc, forgedDesc, failingDesc} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. What cannot be had is left out, and the two that end in _up say so.
func (s *scraped) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	up := func(d *prometheus.Desc, err error) bool {
		if err != nil {
			gauge(d, 0)
			return false
		}
		gauge(d, 1)
		return true
	}
	stats := s.lane.Stats()
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	counter(resentDesc, stats.Resubmissions)
	counter(forgedDesc, s.authentic.Quarantined())
	counter(limitedDesc, stats.NodeLimited)
	counter(silencesDesc, stats.StreamSilences)
	counter(anewDesc, stats.Resignings, "absent")
	counter(anewDesc, stats.Reprices, "fee")
	contradictions, unproven := s.node.Faults()
	counter(faultsDesc, contradictions, "contradiction")
	counter(faultsDesc, unproven, "unproven")
	counter(faultsDesc, s.witnesses.Disagreements(), "disagreement")
	gauge(flightDesc, float64(stats.InFlight))
	gauge(ticketsDesc, float64(stats.Tickets))
	gauge(undecidedDesc, float64(stats.Undecided))
	counter(holesDesc, stats.HistoryHoles)
	counter(refusalsDesc, stats.Refusals)
	counter(gapsDesc, stats.GapsFilled)
	counter(networkDesc, stats.NetworkRefusals)
	gauge(stalledDesc, flag(stats.Stalled))
	gauge(feeOverDesc, flag(stats.FeeOver))
	gauge(workingDesc, flag(stats.Working))
	for _, c := range s.checks {
		gauge(failingDesc, flag(c.Fault() != ""), c.Name)
	}
	for action, done := range s.keeper.Status().Done {
		counter(keeperDesc, done.N, string(action))
	}
	for _, e := range s.sender.Status() {
		counter(deliveredDesc, e.Delivered, e.ID, "delivered")
		counter(deliveredDesc, e.Failed, e.ID, "failed")
		counter(deliveredDesc, e.GivenUp, e.ID, "given_up")
	}
	depth, err := s.depth.Depth(ctx, s.account)
	if up(storeDesc, err) {
		gauge(openDesc, float64(depth.Pending), string(model.StatePending))
		gauge(openDesc, float64(depth.Signed), string(model.StateSigned))
		s.collectHouse(ctx, gauge)
	}
	last, err := s.node.Ledger(ctx)
	blocked := 0.0
	if s.node.Health().AmendmentBlocked {
		blocked = 1
	}
	gauge(blockedDesc, blocked)
	if !up(nodeDesc, err) {
		return
	}
	gauge(ledgerDesc, float64(last.Index))
	gauge(ledgerAgeDesc, max(s.now().Sub(model.Time(last.CloseTime)), 0).Seconds())
	if a, err := s.node.Account(ctx, s.account); err == nil {
		gauge(balanceDesc, float64(a.Balance))
		free := a.Balance - last.Reserve(a.OwnerCount)
		gauge(reserveDesc, float64(free))
		if last.ReserveIncrement > 0 {
			gauge(roomDesc, float64(max(free, 0)/last.ReserveIncrement))
		}
	}
}

// flag is a condition as a gauge.
func flag(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// collectHouse tells what the journal says beside the operations.
func (s *scraped) collectHouse(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) {
	if n, err := s.depth.OpenRollbacks(ctx); err == nil {
		gauge(rollbackDesc, float64(n))
	}
	if n, err := s.depth.CountRequests(ctx, s.account, s.now()); err == nil {
		gauge(waitingDesc, float64(n.Waiting))
		gauge(overdueDesc, float64(n.Overdue))
		gauge(erasableDesc, float64(n.Erasable))
	}
	if backlogs, err := s.depth.Backlogs(ctx, s.account); err == nil {
		for _, b := range backlogs {
			gauge(backlogDesc, float64(b.Waiting), b.Endpoint)
		}
	}
	if m, err := s.depth.MirrorStatus(ctx, s.account); err == nil && m.Known {
		gauge(recordsDesc, float64(m.Complete))
		gauge(standingDesc, float64(m.Standing), "standing")
		gauge(standingDesc, float64(m.Unaccepted), "unaccepted")
		gauge(standingDesc, float64(m.Expired), "expired")
	}
}
