package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secretsAtRest looks for secrets in all that the programs have left: logs, which may hold none, and databases, which may
// hold neither documents nor what opens anything. The files of the sandbox's own wallets are where seeds are kept.
func (w *world) secretsAtRest() (faults []string) {
	files := 0
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, _ := filepath.Rel(w.dir, path)
		isLog := strings.HasSuffix(name, ".log")
		if !isLog && !strings.Contains(name, "issuer.db") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, leak := range w.leaks(content, true) {
			faults = append(faults, fmt.Sprintf("%s holds %s", name, leak))
		}
		return nil
	})
	if err != nil {
		faults = append(faults, err.Error())
	}
	if files < 6 {
		faults = append(faults, fmt.Sprintf("only %d files were looked at", files))
	}
	return faults
}

// logsPlain looks for what a terminal would act on in the logs.
func (w *world) logsPlain() (faults []string) {
	for _, s := range []*service{w.plain, w.tls, w.open} {
		content, err := os.ReadFile(s.process.Log)
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		found := 0
		for line := range bytes.Lines(content) {
			if at := unprintable(line, false); at >= 0 {
				if found++; found <= 3 {
					faults = append(faults, fmt.Sprintf("the log of %s holds %q raw", s.name, around(line, at)))
				}
			}
			if len(line) > 64<<10 {
				faults = append(faults, fmt.Sprintf("a line in the log of %s has %d bytes", s.name, len(line)))
			}
		}
		if len(content) == 0 {
			faults = append(faults, "the log of "+s.name+" is empty")
		}
		for _, word := range []string{"panic", "goroutine ", "level=ERROR", `"level":"ERROR"`} {
			if n := bytes.Count(content, []byte(word)); n > 0 && !strings.Contains(word, "ERROR") {
				faults = append(faults, fmt.Sprintf("the log of %s says %q %d times", s.name, word, n))
			}
		}
	}
	return faults
}

func (w *world) trapped() (faults []string) {
	if n := w.trap.contacted.Load(); n > 0 {
		faults = append(faults, fmt.Sprintf("the trap was contacted %d times", n))
	}
	return faults
}
