package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// node is the thinnest client there can be: one WebSocket, requests written as they come, answers matched by id.
type node struct {
	conn   *websocket.Conn
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan<- answer
	closes  chan struct{} // receives when a ledger closed
	err     error
}

type answer struct {
	result json.RawMessage
	err    error
}

func dial(ctx context.Context, address string) (*node, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+address, nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(64 << 20)
	ctx, cancel := context.WithCancel(ctx)
	n := &node{conn: conn, cancel: cancel, done: make(chan struct{}), waiting: map[uint64]chan<- answer{}, closes: make(chan struct{}, 1)}
	go n.read(ctx)
	_, err = n.call(ctx, "subscribe", map[string]any{"streams": []string{"ledger"}})
	return n, err
}

func (n *node) close() {
	n.cancel()
	<-n.done
	_ = n.conn.CloseNow()
}

func (n *node) read(ctx context.Context) {
	defer close(n.done)
	for {
		_, data, err := n.conn.Read(ctx)
		if err != nil {
			n.fail(err)
			return
		}
		var m struct {
			ID     *uint64         `json:"id"`
			Type   string          `json:"type"`
			Error  string          `json:"error"`
			Result json.RawMessage `json:"result"`
		}
		if err := json.Unmarshal(data, &m); err != nil {
			n.fail(err)
			return
		}
		if m.Type == "ledgerClosed" {
			select {
			case n.closes <- struct{}{}:
			default:
			}
		}
		if m.ID == nil {
			continue
		}
		a := answer{result: m.Result}
		if m.Error != "" {
			a.err = errors.New(m.Error)
		}
		n.mu.Lock()
		to := n.waiting[*m.ID]
		delete(n.waiting, *m.ID)
		n.mu.Unlock()
		if to != nil {
			to <- a
		}
	}
}

// fail answers all that wait with err.
func (n *node) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
	for _, to := range n.waiting {
		to <- answer{err: err}
	}
	clear(n.waiting)
}

// send writes a request; its answer arrives on to, which must have room for it.
func (n *node) send(ctx context.Context, command, rest string, to chan<- answer) error {
	n.mu.Lock()
	if n.err != nil {
		n.mu.Unlock()
		return n.err
	}
	n.next++
	id := n.next
	n.waiting[id] = to
	n.mu.Unlock()
	return n.conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"id":%d,"command":%q%s}`, id, command, rest))
}

// call sends a request and waits for its result.
func (n *node) call(ctx context.Context, command string, params map[string]any) (json.RawMessage, error) {
	rest := ""
	if len(params) > 0 {
		body, err := json.Marshal(params)
		if err != nil {
			return nil, err
		}
		rest = "," + string(body[1:len(body)-1])
	}
	to := make(chan answer, 1)
	if err := n.send(ctx, command, rest, to); err != nil {
		return nil, err
	}
	select {
	case a := <-to:
		if a.err != nil {
			return nil, fmt.Errorf("%s: %w", command, a.err)
		}
		return a.result, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// sequence returns an account's sequence: in the open ledger, or in the validated one.
func (n *node) sequence(ctx context.Context, account, ledger string) (uint32, error) {
	raw, err := n.call(ctx, "account_info", map[string]any{"account": account, "ledger_index": ledger})
	if err != nil {
		return 0, err
	}
	var r struct {
		Data struct{ Sequence uint32 } `json:"account_data"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return 0, err
	}
	return r.Data.Sequence, nil
}

// window is how many submissions are under way at once on the one connection.
const window = 256

// submit sends blobs in order over the one connection, many in flight, and returns when the node has taken them all.
// When the node wants no more for this ledger, it waits for the close and goes on where it was refused.
func (n *node) submit(ctx context.Context, blobs []string) error {
	type tagged struct {
		i  int
		to chan answer
	}
	for from := 0; from < len(blobs); {
		refused := len(blobs)
		why := ""
		inFlight := make(chan tagged, window)
		collected := make(chan error, 1)
		var mu sync.Mutex
		go func() {
			var fault error
			for t := range inFlight {
				a := <-t.to
				var r struct {
					Result  string `json:"engine_result"`
					Message string `json:"engine_result_message"`
				}
				if a.err == nil {
					a.err = json.Unmarshal(a.result, &r)
				}
				mu.Lock()
				switch {
				case a.err != nil:
					fault = errors.Join(fault, a.err)
					refused = min(refused, t.i)
				case r.Result == "tesSUCCESS" || r.Result == "terQUEUED":
				case r.Result == "tefPAST_SEQ" || r.Result == "tefALREADY": // sent again, and the node had kept it
				default:
					if t.i < refused {
						refused, why = t.i, r.Result+": "+r.Message
					}
				}
				mu.Unlock()
			}
			collected <- fault
		}()
		var fault error
		for i := from; i < len(blobs); i++ {
			mu.Lock()
			stop := refused < len(blobs)
			mu.Unlock()
			if stop {
				break
			}
			to := make(chan answer, 1)
			if fault = n.send(ctx, "submit", `,"tx_blob":"`+blobs[i]+`"`, to); fault != nil {
				break
			}
			inFlight <- tagged{i, to}
		}
		close(inFlight)
		if err := errors.Join(fault, <-collected); err != nil {
			return err
		}
		if refused == len(blobs) {
			return nil
		}
		if refused == from && why != "" && !full(why) {
			return fmt.Errorf("submission %d of %d: %s", refused, len(blobs), why)
		}
		from = refused
		if err := n.nextClose(ctx); err != nil {
			return err
		}
	}
	return nil
}

// full says whether a refusal means that this ledger has no more room at this fee.
func full(why string) bool {
	for _, prefix := range []string{"telCAN_NOT_QUEUE", "telINSUF_FEE_P", "terPRE_SEQ"} {
		if len(why) >= len(prefix) && why[:len(prefix)] == prefix {
			return true
		}
	}
	return false
}

// nextClose waits until a ledger has closed since the last call.
func (n *node) nextClose(ctx context.Context) error {
	select {
	case <-n.closes:
		return nil
	case <-n.done:
		return n.err
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Minute):
		return errors.New("no ledger closed for a minute")
	}
}

// validated waits until the account's sequence in the validated ledger is at least want.
func (n *node) validated(ctx context.Context, account string, want uint32) error {
	for {
		select {
		case <-n.closes: // what closed before the question does not count
		default:
		}
		got, err := n.sequence(ctx, account, "validated")
		if err == nil && got >= want {
			return nil
		}
		if err := n.nextClose(ctx); err != nil {
			return err
		}
	}
}
