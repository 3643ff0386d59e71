package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

const (
	// lookTime is how long a blob is held while the journal cannot be asked for it: longer than any row takes the database
	// away from this program too.
	lookTime = 30 * time.Second
	// pollTime is how often it is looked who holds the lane.
	pollTime = 50 * time.Millisecond
	// mostMessage bounds what a service may say at once. It submits one transaction at a time.
	mostMessage = 1 << 20
)

// watch sees all that the services of a row send to the ledger. Each of them reaches it through a proxy that passes on
// every byte, and that holds a submission until its blob was looked up in the journal, as that stands at that moment:
// what is not found there is sent without being stored. And it keeps a history of who held the lane, for what the fence
// promises.
type watch struct {
	w *world
	// look finds which blobs the journal has, by hash, and the epoch that each was stored under.
	look func(ctx context.Context, hashes []string) (map[string]int64, tenure, error)

	mu      sync.Mutex
	sent    int              // blobs that were seen, each time that they were sent
	late    int              // of them, those sent by who did not hold the lane at that moment
	highest map[string]int64 // by process: the highest epoch of a blob that it sent
	holders map[int64]string // by epoch
	frozen  map[int64]int    // by epoch: how many blobs were stored under an earlier one, once it had begun
}

// tenure is who holds the lane.
type tenure struct {
	holder string
	epoch  int64 // 0 where nobody ever had it
}

func newWatch(w *world) *watch {
	return &watch{w: w, highest: map[string]int64{}, holders: map[int64]string{}, frozen: map[int64]int{},
		look: func(ctx context.Context, hashes []string) (map[string]int64, tenure, error) {
			return w.journal.look(ctx, hashes)
		}}
}

// follow keeps the history of the lane until ctx ends.
func (h *watch) follow(ctx context.Context) {
	last := int64(0)
	for ctx.Err() == nil {
		name, epoch, err := h.w.journal.holder(ctx)
		if err == nil {
			h.saw(tenure{name, epoch})
			if epoch > last {
				if epoch, before, err := h.w.journal.before(ctx); err == nil {
					last = epoch
					h.mu.Lock()
					h.frozen[epoch] = before
					h.mu.Unlock()
				}
			}
		}
		programs.Sleep(ctx, pollTime)
	}
}

func (h *watch) saw(t tenure) {
	if t.holder == "" {
		return // given back
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holders[t.epoch] = t.holder
}

// takings is how often somebody was seen to have taken the lane.
func (h *watch) takings() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.holders)
}

// submitted looks at what a process is about to send. It returns when that may go on: always, as what is wrong with it is
// counted, and the ledger's verdict on it is worth knowing too.
func (h *watch) submitted(process string, message []byte) {
	hash, is, err := submission(message)
	if err != nil {
		h.w.fault("what a service says to the ledger cannot be read: %v: %.200q", err, message)
		return
	}
	if !is {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	for {
		found, lane, err := h.look(ctx, []string{hash})
		if err == nil {
			h.saw(lane)
			h.seen(process, hash, found, lane)
			return
		}
		if ctx.Err() != nil {
			h.w.count(&h.w.stray, "%s was sent, and the journal could not be asked for it: %v", hash, err)
			return
		}
		programs.Sleep(ctx, 20*time.Millisecond)
	}
}

func (h *watch) seen(process, hash string, found map[string]int64, lane tenure) {
	h.mu.Lock()
	h.sent++
	epoch, stored := found[hash]
	if stored {
		h.highest[process] = max(h.highest[process], epoch)
		if !isProcess(lane.holder, process) {
			h.late++
		}
	}
	h.mu.Unlock()
	if !stored {
		h.w.count(&h.w.stray, "%s was sent before it was in the journal", hash)
	}
}

// judge counts what the fence should have stopped, from the journal as it is at the end.
//
// A holder that stands still between the last look at its fence and the sending of what it had stored cannot know that it
// was replaced; what it then sends is in the journal since before that, and its successor knows it. So the promise is not
// that nothing is sent late. It is that once an epoch has begun no blob is ever stored under an earlier one, and that
// nobody sends a blob of an epoch later than its own.
func (h *watch) judge(operations map[string]*operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for epoch, before := range h.frozen {
		now := 0
		for _, o := range operations {
			for _, a := range o.attempts {
				if a.epoch < epoch {
					now++
				}
			}
		}
		if now != before {
			h.w.count(&h.w.stray, "when epoch %d of the lane had begun, %d blobs were stored under earlier ones, and in the end %d", epoch, before, now)
		}
	}
	for process, sent := range h.highest {
		own := int64(0)
		for epoch, holder := range h.holders {
			if isProcess(holder, process) {
				own = max(own, epoch)
			}
		}
		// Of an epoch whose holder was never seen, as it was over at once, nothing can be said.
		if _, known := h.holders[sent]; known && sent > own {
			h.w.count(&h.w.stray, "process %s held the lane up to epoch %d, and sent a blob of epoch %d", process, own, sent)
		}
	}
}

// isProcess says whether a lane's holder of that name is the process of that number, which is a part of the name.
func isProcess(holder, process string) bool {
	for part := range strings.SplitSeq(holder, "/") {
		if part == process {
			return true
		}
	}
	return false
}

// submission says whether a request to the ledger, over WebSocket or over JSON-RPC, submits a blob, and returns the hash
// of that.
func submission(message []byte) (hash string, is bool, err error) {
	type params struct {
		Blob string `json:"tx_blob"`
	}
	var r struct {
		Command, Method string
		params
		Params []params
	}
	if err := json.Unmarshal(message, &r); err != nil {
		return "", false, err
	}
	blob := r.Blob
	switch {
	case r.Command == "" && r.Method == "":
		return "", false, errors.New("a request without a name")
	case r.Command != "submit" && r.Method != "submit":
		return "", false, nil
	case r.Command == "" && len(r.Params) == 1:
		blob = r.Params[0].Blob
	}
	raw, err := hex.DecodeString(blob)
	if err != nil || len(raw) == 0 {
		return "", false, fmt.Errorf("a submission without a blob: %w", err)
	}
	// A transaction's hash is SHA-512Half over the prefix TXN\0 and its signed form.
	sum := sha512.Sum512(append([]byte("TXN\x00"), raw...))
	return strings.ToUpper(hex.EncodeToString(sum[:32])), true, nil
}

// pass copies what a service says on one connection, a request at a time, each after saw has looked at it. saw may change a
// WebSocket message of one frame in place. It ends with the connection.
func pass(to io.Writer, from io.Reader, saw func(message []byte)) error {
	in := bufio.NewReaderSize(from, 64<<10)
	for {
		request, body, upgrade, err := readRequest(in)
		if err != nil {
			return err
		}
		if len(body) > 0 {
			saw(body)
		}
		if _, err := to.Write(request); err != nil {
			return err
		}
		if upgrade {
			return passFrames(to, in, saw)
		}
	}
}

// readRequest reads one HTTP request, and returns it as it came.
func readRequest(in *bufio.Reader) (request, body []byte, upgrade bool, err error) {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, nil, false, err
		}
		request = append(request, line...)
		if len(request) > mostMessage {
			return nil, nil, false, errors.New("an HTTP head that does not end")
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
	}
	head, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err != nil {
		return nil, nil, false, err
	}
	if head.ContentLength < 0 || head.ContentLength > mostMessage {
		return nil, nil, false, fmt.Errorf("an HTTP body of length %d", head.ContentLength)
	}
	body = make([]byte, head.ContentLength)
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, nil, false, err
	}
	return append(request, body...), body, strings.EqualFold(head.Header.Get("Upgrade"), "websocket"), nil
}

// passFrames does the same for the frames of a WebSocket (RFC 6455, section 5.2).
func passFrames(to io.Writer, in *bufio.Reader, saw func(message []byte)) error {
	const continued, text, binaryData = 0, 1, 2
	var message []byte
	for {
		raw := make([]byte, 2, 64)
		if _, err := io.ReadFull(in, raw); err != nil {
			return err
		}
		more := func(n int) ([]byte, error) {
			at := len(raw)
			raw = append(raw, make([]byte, n)...)
			_, err := io.ReadFull(in, raw[at:])
			return raw[at:], err
		}
		size := uint64(raw[1] & 0x7f)
		if wide := map[uint64]int{126: 2, 127: 8}[size]; wide > 0 {
			b, err := more(wide)
			if err != nil {
				return err
			}
			size = binary.BigEndian.Uint64(append(make([]byte, 8-wide, 8), b...))
		}
		if raw[0]&0x70 != 0 || raw[1]&0x80 == 0 || size > mostMessage || uint64(len(message))+size > mostMessage {
			return fmt.Errorf("a WebSocket frame that no client of ours sends: % x", raw)
		}
		mask, err := more(4)
		if err != nil {
			return err
		}
		mask = bytes.Clone(mask)
		data, err := more(int(size))
		if err != nil {
			return err
		}
		if code := raw[0] & 0x0f; code == continued || code == text || code == binaryData {
			for i, b := range data {
				message = append(message, b^mask[i%4])
			}
			if raw[0]&0x80 != 0 { // the last frame of it
				saw(message)
				if len(message) == len(data) {
					for i, b := range message {
						data[i] = b ^ mask[i%4]
					}
				}
				message = nil
			}
		}
		if _, err := to.Write(raw); err != nil {
			return err
		}
	}
}

// over says whether an error is how connections end.
func over(err error) bool {
	var network net.Error
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &network)
}
