package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// TestMetrics: what the service did can be read there, and nothing of who asked for it.
func TestMetrics(t *testing.T) {
	s := boot(t, onSandbox(t.TempDir())...)
	lines := s.printed(t)
	if status, body := paste(t, lines.request); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	if status, _ := paste(t, lines.request); status != http.StatusConflict {
		t.Errorf("again: %d", status)
	}
	url := s.field(t, "HTTP")
	paste(t, []string{"", "", "", "", url + "/operations/01JD8Q4Z7T9XW3V5K2M6N8P0RS"})
	paste(t, []string{"", "", "", "", url + "/no/such/" + s.field(t, "Subject")})
	paste(t, []string{"", "", "BREW", "", url + "/credential"})
	status, body := paste(t, []string{"", "", "", "", url + "/metrics"})
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	value := func(name string) float64 {
		t.Helper()
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(body)
		if m == nil {
			t.Errorf("there is no %s", name)
			return -1
		}
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Error(err)
		}
		return v
	}
	for name, want := range map[string]float64{
		`issuer_operations_total{result="tesSUCCESS",state="succeeded"}`: 1,
		`issuer_time_to_validation_seconds_count`:                        1,
		`issuer_signed_total`:                                            1,
		`issuer_fees_drops_total`:                                        10,
		`issuer_operations_open{state="pending"}`:                        0,
		`issuer_operations_open{state="signed"}`:                         0,
		`issuer_store_up`:                                                1, `issuer_node_up`: 1, `issuer_lane_held`: 1, `issuer_lane_in_flight`: 0, `issuer_tickets`: 0,
		`issuer_resubmissions_total`: 0, `issuer_node_limited_total`: 0, `issuer_node_stream_silences_total`: 0, `issuer_signed_anew_total{why="absent"}`: 0, `issuer_signed_anew_total{why="fee"}`: 0,
		`http_requests_total{method="POST",route="/credential",status="201"}`:    1,
		`http_requests_total{method="POST",route="/credential",status="409"}`:    1,
		`http_requests_total{method="GET",route="/operations/:id",status="404"}`: 1,
		`http_requests_total{method="GET",route="none",status="404"}`:            1,
		`http_requests_total{method="other",route="/credential",status="405"}`:   1,
	} {
		if got := value(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if age := value("issuer_ledger_age_seconds"); age < 0 || age > 60 {
		t.Errorf("ledger age %v", age)
	}
	if left, balance := value("issuer_reserve_left_drops"), value("issuer_balance_drops"); balance-left != 1_200_000 {
		t.Errorf("reserve left %v of %v", left, balance)
	}
	for _, secret := range []string{s.field(t, "Subject"), s.field(t, "Issuer"), s.field(t, "Seed"), "TestCredential", "01JD8Q"} {
		if strings.Contains(string(body), secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}

// TestMetricLabels: whatever a node says, the labels have few values.
func TestMetricLabels(t *testing.T) {
	m := newMetrics()
	for n := range 2 * maxResults {
		m.concluded([]model.Outcome{{Operation: "01JD8Q4Z7T9XW3V5K2M6N8P0RS", State: model.StateFailed,
			Result: &model.Validated{EngineResult: fmt.Sprintf("tecMADE_UP%d", n), Body: []byte(`{"tx_json":{"Fee":"-5"}}`)}}}, time.Now())
	}
	m.concluded([]model.Outcome{{State: model.StateRefused, Failure: &model.Failure{Code: "\x00{}"}}, {State: model.StateExpired}, {State: model.StateSigned}}, time.Now())
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "issuer_operations_total" && len(f.GetMetric()) > maxResults+3 {
			t.Errorf("%d values", len(f.GetMetric()))
		}
		if f.GetName() == "issuer_fees_drops_total" && f.GetMetric()[0].GetCounter().GetValue() != 0 {
			t.Error("a fee below 0 is counted")
		}
	}
}
