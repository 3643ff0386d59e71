package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // in what is told of wrong use; "" for none
	}{
		{"", ""},
		{"--weather clear", ""},
		{"--weather drop=1%,miss=1x:2 --weather-seed 7", ""},
		{"--weather hail=1%", `sandbox: --weather: there is no "hail"; there are behind,`},
		{"--weather-seed 7", "--weather-seed needs --weather"},
		{"--weather clear --weather-seed -1", "invalid argument"},
		{"--ledger-capacity 0", "--ledger-capacity is 0, but must be at least 1"},
		{"now", "takes no arguments"},
	} {
		var told bytes.Buffer
		cfg, err := parse(strings.Fields(c.args), &told, &told)
		if (err == nil) != (c.want == "") || err != nil && !errors.Is(err, errUsage) || !strings.Contains(told.String(), c.want) {
			t.Errorf("%s: %v, %s", c.args, err, &told)
		}
		if strings.Contains(c.args, "=1x:2") {
			if w := cfg.Weather; w == nil || w.Seed != 7 || w.String() != "drop=1%,miss=1x:2" {
				t.Errorf("%s: %v", c.args, w)
			}
		}
		if c.args == "" && cfg.Weather != nil {
			t.Error("weather that nobody asked for")
		}
	}
}

// The program says what weather it has, and answers for it, when asked to and only then.
func TestRunInWeather(t *testing.T) {
	for _, c := range []struct {
		args, greeting, answer string
	}{
		{"--weather lose-after=1x --weather-seed 7", "Weather    lose-after=1x (seed 7): curl ", `"weather":"lose-after=1x"`},
		{"", "", `"error":"unknownCmd"`},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		out, in := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			err := run(ctx, strings.Fields("--listen 127.0.0.1:0 "+c.args), in, io.Discard)
			_ = in.Close() // a pipe's cannot fail
			ended <- err
		}()
		buf := make([]byte, 4<<10)
		n, err := out.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		greeting := string(buf[:n])
		if !strings.Contains(greeting, c.greeting) || c.greeting == "" && strings.Contains(greeting, "Weather") {
			t.Errorf("%s: %s", c.args, greeting)
		}
		url := regexp.MustCompile(`http://\S+`).FindString(greeting)
		transport := &http.Transport{DisableKeepAlives: true}
		r, err := (&http.Client{Transport: transport}).Post(url, "application/json", strings.NewReader(`{"method":"sandbox_weather"}`))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil || !strings.Contains(string(answer), c.answer) {
			t.Errorf("%s: %s, %v", c.args, answer, err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
