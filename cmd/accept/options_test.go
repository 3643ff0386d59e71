package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
)

const seedText = "sEdTM1uX8pu2do5XvTnutH6HsouMaM2"

func TestOptions(t *testing.T) {
	o, _, err := readOptions([]string{"--credential", "(BIN) 00FF", "--issuer", string(issuer), "--json"}, "", io.Discard)
	if err != nil || o.credential != "\x00\xff" || o.issuer != issuer || !o.json || !o.named() || o.network.Node != "ws://127.0.0.1:5005" {
		t.Errorf("%+v, %v", o, err)
	}
	o, _, err = readOptions(nil, "", io.Discard)
	if err != nil || o.named() || o.seed != "" {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestWrongUse: each is told, costs nothing, leaves with 2, and repeats no secret.
func TestWrongUse(t *testing.T) {
	open := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(open, []byte(seedText), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"exclude each other":             {"--all", "--list"},
		"--credential, --all and --list": {"--all", "--credential", "T"},
		"give that too":                  {"--issuer", string(issuer)},
		"--issuer is not an address":     {"--credential", "T", "--issuer", "rJ6XzCCSapCaWZxExArkcBWLgJvT6bXCbX"},
		"--credential must":              {"--credential", ""},
		"64":                             {"--credential", strings.Repeat("x", 65)},
		"unknown flag: --credentials":    {"--credentials"},
		"unknown flag; --help":           {"-" + seedText},
		"there are follow, prove":        {seedText},
		"is prove meant?":                {"prov"},
		"follow must be the first word":  {"--list", "follow"},
		"XRPL_NETWORK must be":           {"--xrpl-network", "mars", "--list"},
		"chmod 600":                      {"--subject-account-seed-file", open},
		"SUBJECT_ACCOUNT_ADDRESS":        {"--subject-account-address", seedText},
	} {
		var out, errs bytes.Buffer
		err := run(t.Context(), args, "", nil, &out, &errs)
		if exitStatus(err) != 2 || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: status %d, %v", args, exitStatus(err), err)
		}
		if strings.Contains(err.Error()+out.String()+errs.String(), seedText) {
			t.Errorf("%v: a seed is shown: %v", args, err)
		}
	}
	var faults config.Faults
	_, _, err := readOptions([]string{"--all", "--list", "--xrpl-network", "mars", "--issuer", "x"}, "", io.Discard)
	if !errors.As(err, &faults) || len(faults) != 4 {
		t.Errorf("not all faults at once: %v", err)
	}
}

func TestHelp(t *testing.T) {
	if _, _, err := readOptions([]string{"--help"}, "", io.Discard); !errors.Is(err, pflag.ErrHelp) {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, "", nil, &out, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--credential type", "--issuer address", "--all", "--list", "--json", "--xrpl-network", "SUBJECT_ACCOUNT_SEED"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in the help text:\n%s", want, out.String())
		}
	}
	for args, want := range map[string]string{"help": out.String(), "help prove": "accept prove asks", "--version": "accept "} {
		var said bytes.Buffer
		if err := run(t.Context(), strings.Fields(args), "", nil, &said, nil); err != nil || !strings.HasPrefix(said.String(), want) {
			t.Errorf("%s: %v\n%s", args, err, said.String())
		}
	}
	if strings.Contains(out.String(), "--subject-account-seed string") {
		t.Error("a seed has a flag")
	}
}

// TestWarns: a misspelled setting is told, and told once.
func TestWarns(t *testing.T) {
	t.Setenv("SUBJECT_SEED", seedText)
	const said = "the environment sets SUBJECT_SEED, which no program knows: is SUBJECT_ACCOUNT_SEED meant?"
	var errs bytes.Buffer
	if _, _, err := readOptions([]string{"--list"}, "", &errs); err != nil || errs.String() != "accept: "+said+"\n" {
		t.Errorf("%v, %q", err, errs.String())
	}
	errs.Reset()
	if _, _, err := readOptions([]string{"--list", "--all"}, "", &errs); err == nil || strings.Count(err.Error()+errs.String(), said) != 1 {
		t.Errorf("beside a fault: %v, %q", err, errs.String())
	}
}
