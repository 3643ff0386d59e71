package main

import (
	"context"
	"net/http"
	"strings"
)

var opens = []attack{
	{name: "open mode: names and pages of others", on: onOpen, run: openMode},
	{name: "open mode: beyond loopback", on: onOpen, run: beyondLoopback},
}

// openMode asks a service without tokens as a page in a browser of this machine would, whose name was made to point here.
func openMode(ctx context.Context, r *round) error {
	a, err := r.send(ctx, http.MethodGet, "/admin/status", "")
	r.expect("a program of this machine", a, err, http.StatusOK)
	_, port, _ := strings.Cut(r.address, ":")
	foreign := [][]header{
		{{"Host", "evil.example"}}, {{"Host", "evil.example:" + port}}, {{"Host", "localhost.evil.example"}}, {{"Host", "127.0.0.1.evil.example"}}, {{"Host", "127.0.0.1.nip.io:" + port}},
		{{"Host", "evil.example@localhost"}}, {{"Host", "localhost@evil.example"}}, {{"Host", "evil-localhost"}}, {{"Host", "0.0.0.0"}}, {{"Host", "[::]:" + port}}, {{"Host", "10.0.0.1"}}, {{"Host", "[::ffff:10.0.0.1]"}}, {{"Host", "2130706433.evil"}},
		{{"Host", "xn--localhost"}}, {{"Host", "localhost:" + port + ".evil.example"}}, {{"Host", "localhost,evil.example"}},
		{{"Origin", "https://evil.example"}}, {{"Origin", "null"}}, {{"Origin", "http://localhost.evil.example"}}, {{"Origin", "http://localhost:1"}}, {{"Origin", "file://"}}, {{"Origin", "http://evil.example:" + port}}, {{"Origin", "%"}},
		{{"Sec-Fetch-Site", "cross-site"}}, {{"Sec-Fetch-Site", "same-site"}}, {{"Sec-Fetch-Site", "garbage"}}, {{"Sec-Fetch-Site", "none, cross-site"}},
		{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "same-origin"}}, {{"Host", "evil.example"}, {"X-Forwarded-Host", "localhost"}}, {{"Host", "evil.example"}, {"Forwarded", "host=localhost"}},
		// As proxies on this machine pass requests on.
		{{"X-Forwarded-For", "203.0.113.7"}}, {{"x-forwarded-host", "localhost"}}, {{"X_Forwarded_For", "127.0.0.1"}}, {{"Forwarded", "for=127.0.0.1"}}, {{"Via", "1.1 nginx"}}, {{"X-Real-IP", "127.0.0.1"}},
		{{"CF-Connecting-IP", "127.0.0.1"}}, {{"True-Client-IP", "127.0.0.1"}}, {{"X-Original-Forwarded-For", "127.0.0.1"}}, {{"Referer", "https://evil.example/"}}, {{"Host", "localhost:1"}},
	}
	for _, headers := range foreign {
		for _, call := range [][3]string{{http.MethodGet, "/admin/status"}, {http.MethodGet, "/metrics"}, {http.MethodDelete, "/admin/credential", `{"subject":"x"}`}, {http.MethodPost, "/admin/credential/batch", "{}"}} {
			r.refuse(ctx, text(headers[0].value), []int{http.StatusForbidden, http.StatusBadRequest}, call[0], call[1], call[2], headers...)
		}
	}
	// What a page may send without asking the service before (a form's types), and the asking itself.
	for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		for _, path := range []string{"/credential", "/challenge"} {
			r.refuse(ctx, media, []int{http.StatusUnsupportedMediaType}, http.MethodPost, path, `{"subject":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","credential":"x","documents":{"reason":"please"}}`, header{"Content-Type", media}, header{"Origin", "https://evil.example"})
		}
	}
	for _, path := range []string{"/credential", "/admin/credential"} {
		a := r.refuse(ctx, "a page's question", []int{http.StatusNoContent, http.StatusMethodNotAllowed}, http.MethodOptions, path, "", header{"Origin", "https://evil.example"}, header{"Access-Control-Request-Method", "DELETE"})
		for name := range a.header {
			if strings.HasPrefix(name, "Access-Control-") {
				r.fault("a page of another site is told %s: %s", name, a.header.Get(name))
			}
		}
	}
	for _, head := range []string{"GET http://evil.example/admin/status HTTP/1.1\r\nHost: localhost", "GET http://localhost/admin/status HTTP/1.1\r\nHost: evil.example",
		"GET /admin/status HTTP/1.0\r\nHost: localhost"} {
		answers, err := r.raw(ctx, patience, head+"\r\nConnection: close\r\n\r\n")
		if err != nil {
			return err
		}
		for _, a := range answers {
			r.expect("as a proxy asks", a, nil, http.StatusForbidden)
		}
	}
	return nil
}

func beyondLoopback(ctx context.Context, r *round) error {
	for _, listen := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		said, err := r.startOpen(ctx, listen)
		r.heard("start")
		if err == nil || !strings.Contains(said, "HTTP_LISTEN") {
			r.fault("a sandbox without tokens listens on %s: %v, %.300s", listen, err, said)
		}
	}
	return nil
}
