package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// rippled itself takes 2,100 to 2,600 submissions a second over one connection, on a machine of two cores. These tell what this
// server takes, from a client on the same machine: what it costs the client to send and read is in the figure too.

func benchServer(b *testing.B) *Server {
	return startServer(b, Config{LedgerCapacity: 1_000_000, Logger: slog.New(slog.DiscardHandler)})
}

// perLedger is how many submissions go into a ledger before it is closed, outside the time that is taken.
const perLedger = 1000

func submissions(b *testing.B, s *Server, kt codec.KeyType, format string) (*testAccount, [][]byte) {
	a := newTestAccount(b, s, kt, "bench")
	subject := newTestAccount(b, s, kt, "subject")
	all := make([][]byte, b.N)
	for i := range all {
		all[i] = fmt.Appendf(nil, format, a.credential(b, subject.id, nil).Blob)
	}
	return a, all
}

func rate(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "submissions/s")
}

func success(b *testing.B, reply []byte) {
	if !bytes.Contains(reply, []byte(`"engine_result":"tesSUCCESS"`)) {
		b.Fatalf("%s", reply)
	}
}

// BenchmarkSubmitWS submits over one WebSocket, without waiting for answers: up to perLedger are under way.
func BenchmarkSubmitWS(b *testing.B) {
	for _, kt := range []codec.KeyType{codec.Ed25519, codec.Secp256k1} {
		b.Run(kt.String(), func(b *testing.B) {
			s := benchServer(b)
			_, all := submissions(b, s, kt, `{"id":1,"command":"submit","tx_blob":"%X"}`)
			ctx := context.Background()
			ws, _, err := websocket.Dial(ctx, s.WebSocketURL(), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = ws.CloseNow() }()
			b.ReportAllocs()
			b.ResetTimer()
			for len(all) > 0 {
				batch := all[:min(perLedger, len(all))]
				all = all[len(batch):]
				sent := make(chan error, 1)
				go func() {
					for _, text := range batch {
						if err := ws.Write(ctx, websocket.MessageText, text); err != nil {
							sent <- err
							return
						}
					}
					sent <- nil
				}()
				for range batch {
					_, reply, err := ws.Read(ctx)
					if err != nil {
						b.Fatal(err)
					}
					success(b, reply)
				}
				if err := <-sent; err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if _, err := s.Accept(ctx); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			rate(b)
		})
	}
}

// BenchmarkSubmitHTTP submits over one HTTP connection, each request after the answer to the one before.
func BenchmarkSubmitHTTP(b *testing.B) {
	for _, kt := range []codec.KeyType{codec.Ed25519, codec.Secp256k1} {
		b.Run(kt.String(), func(b *testing.B) {
			s := benchServer(b)
			_, all := submissions(b, s, kt, `{"method":"submit","params":[{"tx_blob":"%X"}]}`)
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			b.ReportAllocs()
			b.ResetTimer()
			for i, text := range all {
				r, err := client.Post(s.URL(), "application/json", bytes.NewReader(text))
				if err != nil {
					b.Fatal(err)
				}
				reply, err := io.ReadAll(r.Body)
				_ = r.Body.Close()
				if err != nil {
					b.Fatal(err)
				}
				success(b, reply)
				if (i+1)%perLedger == 0 {
					b.StopTimer()
					if _, err := s.Accept(context.Background()); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
			rate(b)
		})
	}
}

// BenchmarkClose1000 closes ledgers with a thousand transactions in each.
func BenchmarkClose1000(b *testing.B) {
	s := benchServer(b)
	a := newTestAccount(b, s, codec.Ed25519, "bench")
	subject := newTestAccount(b, s, codec.Ed25519, "subject")
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for range perLedger {
			if r := s.node.Submit(a.credential(b, subject.id, nil), false); !r.Result.IsTes() {
				b.Fatal(r.Result)
			}
		}
		b.StartTimer()
		if _, err := s.Accept(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnswerSubmit is what a submission costs the server itself, without sockets.
func BenchmarkAnswerSubmit(b *testing.B) {
	s := benchServer(b)
	_, all := submissions(b, s, codec.Ed25519, `{"id":1,"command":"submit","tx_blob":"%X"}`)
	b.ReportAllocs()
	b.ResetTimer()
	for i, text := range all {
		success(b, s.answerWebSocket(context.Background(), nil, text))
		if (i+1)%perLedger == 0 {
			b.StopTimer()
			if _, err := s.Accept(context.Background()); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
	rate(b)
}

// BenchmarkParse reads a submission's JSON.
func BenchmarkParse(b *testing.B) {
	text := fmt.Appendf(nil, `{"id":1,"command":"submit","tx_blob":"%X"}`, make([]byte, 200))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rjson.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
