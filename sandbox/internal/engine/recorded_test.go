package engine

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// vectorsDir holds what a real node answered; see its README.
const vectorsDir = "../../testdata/vectors"

type recordedHeader struct {
	Index       string `json:"ledger_index"`
	CloseTime   uint32 `json:"close_time"`
	AccountHash string `json:"account_hash"`
	TxHash      string `json:"transaction_hash"`
	LedgerHash  string `json:"ledger_hash"`
	TotalCoins  string `json:"total_coins"`
}

type recordedStep struct {
	Step     int             `json:"step"`
	Note     string          `json:"note"`
	Request  json.RawMessage `json:"request"`
	Closed   *recordedHeader `json:"closed"`
	Response struct {
		Result struct {
			EngineResult string `json:"engine_result"`
			Accepted     bool   `json:"accepted"`
			Applied      bool   `json:"applied"`
			Broadcast    bool   `json:"broadcast"`
			Queued       bool   `json:"queued"`
			Kept         bool   `json:"kept"`
			Cost         string `json:"open_ledger_cost"`
			Next         uint32 `json:"account_sequence_next"`
			Available    uint32 `json:"account_sequence_available"`
			Validated    uint32 `json:"validated_ledger_index"`
		} `json:"result"`
	} `json:"response"`
}

// TestRecorded submits what was submitted to a real node and closes ledgers at
// its times: each result, and each ledger to its hash, must be what it was.
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectorsDir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	queue, err := filepath.Glob(filepath.Join(vectorsDir, "queue", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 || len(queue) == 0 {
		t.Fatal("no recordings in " + vectorsDir)
	}
	for _, f := range append(files, queue...) {
		if strings.HasSuffix(f, ".ws.jsonl") {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(f), ".jsonl"), func(t *testing.T) { replayFile(t, f) })
	}
}

func replayFile(t *testing.T, path string) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var cfg Config
	if filepath.Base(filepath.Dir(path)) == "queue" {
		cfg.Capacity = 8
	}
	var n *Node
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var s recordedStep
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			if n != nil {
				continue // an answer that is no object: not the engine's
			}
			t.Fatal(err)
		}
		if s.Step == 0 {
			cfg.GenesisCloseTime = &s.Closed.CloseTime
			if n, err = New(cfg); err != nil {
				t.Fatal(err)
			}
			compareHeader(t, s, n.Closed())
			continue
		}
		var req struct {
			Method string `json:"method"`
			Params []struct {
				Blob string `json:"tx_blob"`
			} `json:"params"`
		}
		if json.Unmarshal(s.Request, &req) != nil {
			continue
		}
		switch req.Method {
		case "ledger_accept":
			l, err := n.Close(&s.Closed.CloseTime)
			if err != nil {
				t.Fatal(err)
			}
			compareHeader(t, s, l)
		case "submit":
			blob, err := hex.DecodeString(req.Params[0].Blob)
			if err != nil {
				continue
			}
			tx, err := codec.ParseTx(blob)
			if err != nil || tx.LocalChecks() != nil || tx.CheckSignature() != nil {
				if s.Response.Result.EngineResult != "" {
					t.Errorf("step %d (%s): refused, recorded %s", s.Step, s.Note, s.Response.Result.EngineResult)
				}
				continue
			}
			got, want := n.Submit(tx, false), s.Response.Result
			cost, _ := strconv.ParseUint(want.Cost, 10, 64)
			if got.Result.String() != want.EngineResult || got.Applied != want.Applied || got.Broadcast != want.Broadcast ||
				got.Queued != want.Queued || got.Kept != want.Kept || got.OpenLedgerCost != cost ||
				got.SequenceNext != want.Next || got.SequenceAvailable != want.Available || got.ValidatedSeq != want.Validated {
				t.Errorf("step %d (%s): got %+v, recorded %+v", s.Step, s.Note, got, want)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func compareHeader(t *testing.T, s recordedStep, l *Ledger) {
	t.Helper()
	got := recordedHeader{
		Index: strconv.FormatUint(uint64(l.Seq), 10), CloseTime: l.CloseTime, AccountHash: l.StateHash.String(),
		TxHash: l.TxHash.String(), LedgerHash: l.Hash.String(), TotalCoins: strconv.FormatUint(l.Drops, 10),
	}
	if got != *s.Closed {
		t.Errorf("step %d: closed\n got %+v\nwant %+v", s.Step, got, *s.Closed)
	}
}
