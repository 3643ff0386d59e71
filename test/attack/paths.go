package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

var paths = []attack{
	{name: "ways around to /admin", on: onPlain, run: aroundAdmin},
}

// aroundAdmin writes paths of the administrators' side in every way that some server takes for another one.
func aroundAdmin(ctx context.Context, r *round) error {
	var all []string
	for _, p := range []string{"/admin/audit", "/admin/status", "/admin/credential", "/admin/request", "/metrics"} {
		rest := strings.TrimPrefix(p, "/")
		all = append(all, p, p+"/", p+"//", p+"/.", p+"/..", p+"/x/..", p+"/%2e", p+"%2f", p+"%2F..%2F"+rest, p+"?", p+"#", p+"%00", p+"%00.json", p+"%0d%0a", p+"%20", p+"%09", p+";a=b", p+".json", p+"..;/",
			"/"+p, "//localhost"+p, "/."+p, "/.."+p, "/../.."+p, "/x/.."+p, "/credential/.."+p, "/healthz/.."+p, "/healthz/%2e%2e"+p, "/%2e%2e"+p, "/%2e/"+rest, "/.%2e/"+rest, "/..%2f"+rest, "/%252e%252e"+p,
			"/..%5c"+rest, `/..\`+rest, `\`+rest, "/operations/..%2f.."+p, "/request/..;"+p, "/credential/self/"+rest, "/%61"+rest[1:], "/"+strings.ToUpper(rest), "/"+strings.ToUpper(rest[:1])+rest[1:],
			"/"+strings.Replace(rest, "/", "%2f", 1), "/"+strings.Replace(rest, "/", "//", 1), "/"+strings.Replace(rest, "/", "/./", 1), "/"+strings.Replace(rest, "/", `\`, 1), "/"+strings.Replace(rest, "/", "%5c", 1),
			"/"+strings.Replace(rest, "a", "%c1%a1", 1), "/"+strings.Replace(rest, "a", "\u0430", 1), "/"+strings.Replace(rest, "a", "%uff41", 1), "/%ff"+rest, "/%"+rest, "/%zz"+rest, "/%2"+rest,
			"http://localhost"+p, "http://127.0.0.1"+p, "https://evil.example"+p, "http://[::1]"+p, "http:"+p, "http:///"+rest, "//evil.example"+p, "*", "", rest, "/healthz?x="+p, "/healthz#"+p)
	}
	all = append(all, "/"+strings.Repeat("a", 15_000), "/"+strings.Repeat("../", 4000)+"admin/status", "/"+strings.Repeat("%2e%2e/", 2000)+"admin/status", "/operations/"+strings.Repeat("A", 10_000), "/"+strings.Repeat("/", 10_000)+"admin/status",
		"/credential/"+strings.Repeat("r", 5000)+"/x/y", "/credential/self/%00/%00", "/credential/%ff%fe/%ff/%ff", "/operations/%00", "/operations/%1b%5b2J", "/request/%0d%0aX:y?secret=x", "/admin/batch/%00", "/admin/request/%ff")
	methods := []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PUT", "PATCH", "PROPFIND", "get", "GET\x01", "ADMIN", strings.Repeat("M", 3000)}
	if r.short {
		methods = []string{"GET", "DELETE", "CONNECT", "get"}
	}
	open := map[string]bool{"/healthz?x=": true, "/healthz#": true}
	atOnce(16, len(all)*len(methods), func(i int) {
		method, path := methods[i%len(methods)], all[i/len(methods)]
		head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-HTTP-Method-Override: GET\r\nX-Original-URL: /admin/audit\r\nX-Rewrite-URL: /admin/audit\r\nX-Forwarded-Prefix: /admin\r\nContent-Length: 0\r\n\r\n", method, path)
		answers, err := r.raw(ctx, 10*time.Second, head)
		if err != nil {
			r.fault("%v", err)
			return
		}
		for _, a := range answers {
			if method == "OPTIONS" && a.status == http.StatusNoContent && len(a.body) == 0 {
				continue // which methods there are is no secret
			}
			if a.status < 400 && !strings.HasPrefix(path, "/healthz") && !open[path] {
				r.fault("%.20s %.60q, without a token, is answered %s", method, path, a)
			}
		}
	})
	// With a reader's token: never what an admin alone may do, nor what it may not do in the method's own name.
	for _, override := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"} {
		for _, p := range []string{"/admin/credential", "/admin/batch/00000000000000000000000000"} {
			a, err := r.send(ctx, http.MethodGet, p+"?_method=DELETE", "", bearer(r.tokens["reader"]), header{override, "DELETE"})
			r.expect("a method by another name", a, err, http.StatusBadRequest, http.StatusNotFound)
		}
	}
	for _, p := range []string{"/admin/audit", "/admin/audit/", "//admin/audit", "/admin/./audit", "/admin/status/../audit", "/admin/%61udit", "/admin/audit%2f", "/admin/AUDIT", "/admin/status/%2e%2e/audit"} {
		answers, err := r.raw(ctx, 10*time.Second, "GET "+p+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "+r.tokens["reader"]+"\r\n\r\n")
		if err != nil {
			return err
		}
		for _, a := range answers {
			if a.status != http.StatusForbidden && a.status != http.StatusNotFound {
				r.fault("%s, as a reader: %s", p, a)
			}
		}
	}
	return nil
}
