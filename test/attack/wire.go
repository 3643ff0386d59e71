package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

var wire = []attack{
	{name: "requests within requests", on: onPlain, may: []int{http.StatusNotImplemented, http.StatusHTTPVersionNotSupported}, run: smuggled},
	// All bodies together may have 32 MiB, and what garbage they leave as much again.
	{name: "bodies without an end", on: onPlain, grows: usualGrowth + 64, may: []int{http.StatusServiceUnavailable}, run: endlessBodies},
	{name: "header floods", on: onPlain, run: headerFloods},
	{name: "pipelining", on: onPlain, run: pipelined},
	{name: "HTTP/2 rapid reset", on: onTLS, run: rapidReset},
	{name: "HTTP/2 header and settings floods", on: onTLS, run: streamFloods},
}

// smuggled sends what one server takes for one request and another for two. The second one asks for what needs no
// token and tells itself apart: an answer to it shows that it was taken for a request.
func smuggled(ctx context.Context, r *round) error {
	const within = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: smuggled\r\n\r\n"
	const head = "POST /challenge HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(within), within)
	// Behind these, which are whole and say in one way how long they are, the next request begins.
	whole := map[string]bool{"nothing but line ends": true}
	requests := map[string]string{
		"CL.TE":                     head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + within,
		"TE.CL":                     head + fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n", len(within)) + chunk,
		"TE.TE":                     head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + within,
		"TE twice":                  head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + within,
		"TE x":                      head + "Transfer-Encoding: xchunked\r\n\r\n" + within,
		"TE gzip, chunked":          head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + within,
		"TE after a space":          head + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + within,
		"TE after a tab":            head + "Transfer-Encoding:\tchunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n" + within,
		"TE with a vertical tab":    head + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + within,
		"TE folded":                 head + "Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + within,
		"TE after a bare LF":        head + "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + within,
		"TE in HTTP/1.0":            strings.Replace(head, "HTTP/1.1", "HTTP/1.0", 1) + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n" + within,
		"CL twice":                  head + fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n", len(within)) + within,
		"CL a list":                 head + fmt.Sprintf("Content-Length: 0, %d\r\n\r\n", len(within)) + within,
		"CL negative":               head + "Content-Length: -1\r\n\r\n" + within,
		"CL +0":                     head + "Content-Length: +0\r\n\r\n" + within,
		"CL hex":                    head + "Content-Length: 0x0\r\n\r\n" + within,
		"CL huge":                   head + "Content-Length: 99999999999999999999\r\n\r\n" + within,
		"CL with a space":           head + "Content-Length : 0\r\n\r\n" + within,
		"chunk size huge":           head + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n" + within,
		"chunk size negative":       head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + within,
		"chunk size 0x":             head + "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + within,
		"chunk without its end":     head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n" + within,
		"chunk ended by LF":         head + "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n" + within,
		"chunk extension with a LF": head + "Transfer-Encoding: chunked\r\n\r\n0;a=\n\r\n\r\n" + within,
		"head with a NUL":           "GET /admin/status\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n" + within,
		"head with a bare CR":       "GET /admin/status HTTP/1.1\rHost: localhost\r\n\r\n" + within,
		"a name with a space":       "GET /admin/status HTTP/1.1\r\nHost: localhost\r\nA B: c\r\n\r\n" + within,
		"a name with a NUL":         "GET /admin/status HTTP/1.1\r\nHost: localhost\r\nA\x00B: c\r\n\r\n" + within,
		"no Host":                   "GET /admin/status HTTP/1.1\r\n\r\n" + within,
		"Host twice":                "GET /admin/status HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n" + within,
		"Host with a path":          "GET /admin/status HTTP/1.1\r\nHost: localhost/evil\r\n\r\n" + within,
		"HTTP/9.9":                  "GET /admin/status HTTP/9.9\r\nHost: localhost\r\n\r\n" + within,
		"HTTP/2 without TLS":        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + within,
		"an upgrade to h2c":         "GET /admin/status HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: 1\r\n\r\n",
		"HTTP/0.9":                  "GET /admin/status\r\n",
		"TLS to plain HTTP":         "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 500),
		"nothing but line ends":     strings.Repeat("\r\n", 2000),
		"a body behind GET":         "GET /admin/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + fmt.Sprint(len(within)) + "\r\n\r\n" + within,
		"a body behind an error":    "POST /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + fmt.Sprint(len(within)) + "\r\n\r\n" + within,
		"a body behind 401":         "DELETE /admin/credential HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + fmt.Sprint(len(within)) + "\r\n\r\n" + within,
		"Expect":                    head + "Expect: 100-continue\r\nContent-Length: " + fmt.Sprint(len(within)) + "\r\n\r\n" + within,
		"Expect of something":       head + "Expect: all\r\nContent-Length: 0\r\n\r\n",
		"trailers":                  head + "Transfer-Encoding: chunked\r\nTrailer: Content-Length, Authorization\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 0\r\nAuthorization: Bearer " + r.tokens["admin"] + "\r\n\r\n",
	}
	names := slices.Collect(maps.Keys(requests))
	atOnce(16, len(names), func(i int) {
		name := names[i]
		answers, err := r.raw(ctx, 1500*time.Millisecond, requests[name])
		if err != nil {
			r.fault("%s: %v", name, err)
			return
		}
		for _, a := range answers {
			within := a.header.Get("X-Request-ID") == "smuggled"
			switch {
			case a.status >= 400 || a.status == http.StatusContinue:
			case within && whole[name]:
			case within:
				r.fault("%s: the request within was answered", name)
			default:
				r.fault("%s: %s", name, a)
			}
		}
	})
	return nil
}

// endlessBodies sends bodies larger than any that is taken, with and without saying so.
func endlessBodies(ctx context.Context, r *round) error {
	const head = "POST /credential HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	megabyte := strings.Repeat(" ", 1<<20)
	atOnce(20, r.many(100), func(i int) {
		c, err := r.dial(ctx, r.from)
		if err != nil {
			r.fault("%v", err)
			return
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(15 * time.Second))
		go func() {
			said := head + "Transfer-Encoding: chunked\r\n\r\n"
			if i%3 == 1 {
				said = head + "Content-Length: 10000000000\r\n\r\n"
			} else if i%3 == 2 {
				said = head + "Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n"
			}
			if _, err := io.WriteString(c, said); err != nil {
				return
			}
			for range 20 {
				piece := megabyte
				if i%3 == 0 {
					piece = fmt.Sprintf("%x\r\n%s\r\n", len(megabyte), megabyte)
				}
				if _, err := io.WriteString(c, piece); err != nil {
					return // it has been refused
				}
			}
		}()
		for _, a := range r.readAll(c, "an endless body") {
			r.expect("an endless body", a, nil, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusBadRequest,
				http.StatusServiceUnavailable, http.StatusRequestHeaderFieldsTooLarge) // the last: what comes behind a body, taken for a head
		}
	})
	// A chunk for each byte, and long extensions.
	chunks := strings.Repeat("1\r\n \r\n", 100_000) + "0\r\n\r\n"
	extended := strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\n \r\n", 300) + "0\r\n\r\n"
	for _, body := range []string{chunks, extended, "2;" + strings.Repeat("x", 100_000) + "\r\n{}\r\n0\r\n\r\n", "0\r\n" + strings.Repeat("X: y\r\n", 100_000) + "\r\n"} {
		answers, err := r.raw(ctx, 10*time.Second, head+"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"+body)
		if err != nil {
			return err
		}
		for _, a := range answers {
			r.expect("odd chunks", a, nil, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable)
		}
	}
	// As many bodies at once as a client may send, each as large as it may be, and held back before their end.
	return r.heldBodies(ctx, r.many(400))
}

func (r *round) heldBodies(ctx context.Context, n int) error {
	const size = 1<<20 - 1
	head := fmt.Sprintf("POST /credential HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", size)
	body := strings.Repeat(" ", size-1)
	conns := make([]net.Conn, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	refused := 0
	for i := range conns {
		c, err := r.dial(ctx, r.from)
		if err != nil {
			refused++
			continue
		}
		conns[i] = c
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.WriteString(c, head+body); err != nil {
			refused++ // it does not take any more
		}
		r.heard("held")
	}
	r.note("%d bodies of 1 MiB were begun at once and not ended; %d connections were closed before", n, refused)
	// Somebody else is served meanwhile.
	if _, err := r.good(ctx, r.client); err != nil {
		r.fault("while bodies are held: %v", err)
	}
	return nil
}

func headerFloods(ctx context.Context, r *round) error {
	const head = "GET /operations/none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	var many, names strings.Builder
	for i := range 50_000 {
		_, _ = fmt.Fprintf(&many, "X-%d: y\r\n", i)
	}
	for i := range 900 {
		_, _ = fmt.Fprintf(&names, "X-%d: y\r\n", i)
	}
	floods := map[string]string{
		"one of 1 MB":        head + "X: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"50000 of them":      head + many.String() + "\r\n",
		"900 small ones":     head + names.String() + "\r\n",
		"the same 900 times": head + strings.Repeat("Authorization: Bearer x\r\n", 500) + "\r\n",
		"cookies":            head + strings.Repeat("Cookie: a=b\r\n", 1000) + "\r\n",
		"a name of 15 KB":    head + strings.Repeat("n", 15_000) + ": x\r\n\r\n",
		"a line of 1 MB":     "GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"without an end":     head + strings.Repeat("X: y\r\n", 500_000),
		"X-Forwarded-For":    head + "X-Forwarded-For: " + strings.Repeat("1.1.1.1,", 1700) + "\r\n\r\n",
		"Prefer":             head + "Prefer: " + strings.Repeat("wait=1,", 1900) + "\r\n\r\n",
	}
	atOnce(10, r.many(20)*len(floods), func(i int) {
		names := []string{}
		for name := range floods {
			names = append(names, name)
		}
		for _, name := range names[i%len(names) : i%len(names)+1] {
			answers, err := r.raw(ctx, 3*time.Second, floods[name])
			if err != nil {
				r.fault("%s: %v", name, err)
				return
			}
			for _, a := range answers {
				r.expect(name, a, nil, http.StatusRequestHeaderFieldsTooLarge, http.StatusNotFound, http.StatusBadRequest, http.StatusTooManyRequests)
			}
		}
	})
	return nil
}

// pipelined sends thousands of requests on one connection, and takes no answer until the last one is sent.
func pipelined(ctx context.Context, r *round) error {
	const one = "GET /operations/00000000000000000000000000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
	n := r.many(3000)
	for range 4 {
		answers, err := r.raw(ctx, 20*time.Second, strings.Repeat(one, n)+strings.Replace(one, "Host", "Connection: close\r\nHost", 1))
		if err != nil {
			return err
		}
		if len(answers) != n+1 {
			r.fault("%d requests in a row have %d answers", n+1, len(answers))
		}
		for _, a := range answers {
			r.expect("one of many", a, nil, http.StatusNotFound)
		}
	}
	// Answers that nobody takes.
	c, err := r.dial(ctx, r.from)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetWriteDeadline(time.Now().Add(2 * time.Second))
	_, _ = io.WriteString(c, strings.Repeat(one, 50_000)) // it stops taking them
	return nil
}

// Frames of HTTP/2 (RFC 9113, 6), as far as they are used here.
const (
	frameHeaders, frameReset, frameSettings, framePing, frameContinuation = 1, 3, 4, 6, 9
	endStream, endHeaders                                                 = 1, 4
)

func frame(kind, flags byte, stream uint32, payload string) string {
	var head [9]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(payload))<<8)
	head[3], head[4] = kind, flags
	binary.BigEndian.PutUint32(head[5:], stream)
	return string(head[:]) + payload
}

// getHeaders is GET of a path, in HPACK (RFC 7541) without its dynamic table.
func getHeaders(path string) string {
	return "\x82\x87\x04" + string(rune(len(path))) + path + "\x01\x09localhost"
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// streams writes to connections of HTTP/2 until they are closed or the time is over, and counts what was written.
func (r *round) streams(ctx context.Context, connections int, piece func(n uint32) string) error {
	per := r.many(20_000)
	atOnce(connections, connections, func(int) {
		c, err := r.dial(ctx, r.from, "h2")
		if err != nil {
			r.fault("%v", err)
			return
		}
		defer func() { _ = c.Close() }()
		if t, ok := c.(*tls.Conn); !ok || t.ConnectionState().NegotiatedProtocol != "h2" {
			r.fault("the service does not speak HTTP/2: this shows nothing")
			return
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		go func() { _, _ = io.Copy(io.Discard, c) }()
		if _, err := io.WriteString(c, preface+frame(frameSettings, 0, 0, "")); err != nil {
			r.fault("%v", err)
			return
		}
		for n := range uint32(per / 100) {
			var some strings.Builder
			for i := range uint32(100) {
				some.WriteString(piece(n*100 + i))
			}
			if _, err := io.WriteString(c, some.String()); err != nil {
				r.heard("closed")
				return
			}
			r.mu.Lock()
			r.requests += 100
			r.mu.Unlock()
		}
		r.heard("sent")
	})
	return nil
}

func rapidReset(ctx context.Context, r *round) error {
	return r.streams(ctx, 8, func(n uint32) string {
		stream := 2*n + 1
		return frame(frameHeaders, endStream|endHeaders, stream, getHeaders("/operations/x")) + frame(frameReset, 0, stream, "\x00\x00\x00\x08")
	})
}

func streamFloods(ctx context.Context, r *round) error {
	for _, piece := range []func(n uint32) string{
		func(uint32) string { return frame(frameSettings, 0, 0, "\x00\x04\x00\x00\xff\xff") },
		func(uint32) string { return frame(framePing, 0, 0, "12345678") },
		func(n uint32) string { // a head that goes on and on
			if n == 0 {
				return frame(frameHeaders, endStream, 1, getHeaders("/x"))
			}
			return frame(frameContinuation, 0, 1, "\x00\x01a\x7f\x81\x00"+strings.Repeat("b", 256))
		},
		func(n uint32) string { // streams that are never ended
			return frame(frameHeaders, endHeaders, 2*n+1, getHeaders("/operations/x"))
		},
	} {
		if err := r.streams(ctx, 2, piece); err != nil {
			return err
		}
	}
	return nil
}
