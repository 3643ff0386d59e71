package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/xrplissuer/credential-issuer/sandbox"
)

func TestOpenWallet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.seed")
	none := errors.New("none to be had")
	if _, err := openWallet(path, func() (string, error) { return "", none }); !errors.Is(err, none) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed making left a file: %v", err)
	}
	made, err := openWallet(path, func() (string, error) { return edSeed, nil })
	if err != nil || string(made.address) != edAddress {
		t.Fatalf("%v, %v", made.address, err)
	}
	kept, err := openWallet(path, func() (string, error) { t.Error("a second one is made"); return secpSeed, nil })
	if err != nil || kept.address != made.address {
		t.Errorf("%v, %v", kept.address, err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := writeSecret(filepath.Join(path, "no folder"), edSeed); err == nil {
		t.Error("written to where there is no folder")
	}
}

// terminalPair is a terminal with a program at one end and a test at the other.
func terminalPair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, theirs, err := pty.Open()
	if err != nil {
		t.Skipf("no terminal can be had here: %v", err)
	}
	t.Cleanup(func() { _ = ours.Close(); _ = theirs.Close() })
	return ours, theirs
}

// until reads from a terminal until it has shown text.
func until(t *testing.T, f *os.File, text string) (shown string) {
	t.Helper()
	buf := make([]byte, 1024)
	for !strings.Contains(shown, text) {
		n, err := f.Read(buf)
		if err != nil {
			t.Fatalf("%q, %v", shown, err)
		}
		shown += string(buf[:n])
	}
	return shown
}

// TestPrompt: on a terminal the seed is asked for, and what is typed is not shown.
func TestPrompt(t *testing.T) {
	node, err := sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Config{Listen: "127.0.0.1:0", CloseInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = node.Close(context.Background()) }()
	made, err := node.Fund(t.Context(), "", 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := terminalPair(t)
	before, err := term.GetState(int(theirs.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := newTerminal()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"--http-listen=127.0.0.1:0", "--data-dir=" + t.TempDir(), "--xrpl-network=" + node.WebSocketURL()}, noFile(t), console{theirs, out, theirs})
	}()
	shown := until(t, ours, "Issuer account seed: ")
	for { // the read turns the echo off just after the prompt
		now, err := term.GetState(int(theirs.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		if *now != *before {
			break
		}
	}
	if _, err := ours.WriteString(made.Seed.Reveal() + "\n"); err != nil {
		t.Fatal(err)
	}
	shown += until(t, ours, "msg=serving")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), made.Address) || strings.Contains(shown+out.String(), made.Seed.Reveal()) {
		t.Errorf("shown: %s\n%s", shown, out)
	}
}

// TestPromptInterrupted: an interrupt ends the wait for the seed, and is no failure.
func TestPromptInterrupted(t *testing.T) {
	ours, theirs := terminalPair(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"--xrpl-network=devnet"}, noFile(t), console{theirs, newTerminal(), theirs})
	}()
	until(t, ours, "Issuer account seed: ")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := ours.WriteString("\n"); err != nil { // the read that was left behind ends
		t.Fatal(err)
	}
}
