package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

const auditUsage = `issuer audit reads the audit log: every decision and every call of the administrators' side.

  issuer audit verify [--head SEQ:HASH]   checks that no entry was changed, removed or put elsewhere, and that operations,
                                          decisions and tokens are those of the entries, and says which are not
  issuer audit export                     writes it to standard output, one JSON object a line
  issuer audit restored                   acknowledges that the database was restored, or failed over with a loss

Each entry holds the hash of the one before. That its end was cut off shows only against a hash that was noted before: verify
prints the last entry's, to be kept elsewhere and given as --head the next time. DATA_DIR or DATABASE_URL must be those of
the service, which need not stop. Exit status: 0 whole, 1 not whole, 2 wrong use, 3 it could not be read.

%s`

// auditPage is how many entries are read at a time.
const auditPage = 1000

// runAudit is the subcommand.
func runAudit(ctx context.Context, args []string, dotenv string, c console) (err error) {
	var what string
	if len(args) > 0 {
		what, args = args[0], args[1:]
	}
	var head *string
	s, v, err := readStoreSettings("issuer audit", args, dotenv, func(f *pflag.FlagSet) {
		if what == "verify" {
			head = f.String("head", "", "the entry that an earlier verify printed, which must still be there")
		}
	})
	if errors.Is(err, pflag.ErrHelp) || what == "--help" || what == "-h" {
		_, err := fmt.Fprintf(c.out, auditUsage, s.flags.FlagUsages())
		return err
	}
	if err != nil {
		return err
	}
	var noted *noted
	switch what {
	case "verify":
		if *head != "" {
			if noted, err = parseNoted(*head); err != nil {
				v.Wrong("--head " + err.Error())
			}
		}
	case "export":
	case "restored":
		return s.acknowledge(ctx, v, c)
	default:
		v.Wrong("issuer audit must be followed by verify, export or restored")
	}
	st, err := s.open(ctx, v, c, 0, reads)
	if err != nil {
		return errUndecided{err}
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if what == "export" {
		return exportAudit(ctx, st, c)
	}
	return verifyAudit(ctx, st, noted, c)
}

// acknowledge ends the alert that transactions were lost.
func (s storeSettings) acknowledge(ctx context.Context, v *config.Values, c console) (err error) {
	st, err := s.open(ctx, v, c, 0, mustBe)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	n, err := st.AcknowledgeRollbacks(ctx, model.AuditEntry{Actor: commandActor(), Action: "audit.restored"})
	if err != nil {
		return told(err)
	}
	_, err = fmt.Fprintf(c.err, "Acknowledged: %d.\n", n)
	return err
}

// noted is an entry that somebody wrote down.
type noted struct {
	seq  int64
	hash string
}

func parseNoted(s string) (*noted, error) {
	seq, hash, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	if _, hexErr := hex.DecodeString(hash); err != nil || n < 1 || hexErr != nil || len(hash) != 64 {
		return nil, errors.New("must be an entry's number and hash, as verify prints them: 12:0A1B…")
	}
	return &noted{n, strings.ToUpper(hash)}, nil
}

// auditEntries yields the whole log in order.
func auditEntries(ctx context.Context, st *store.Store) iter.Seq2[model.AuditEntry, error] {
	return func(yield func(model.AuditEntry, error) bool) {
		var after int64
		for {
			page, err := st.AuditEntries(ctx, after, auditPage)
			if err != nil {
				yield(model.AuditEntry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				after = e.Seq
			}
			if len(page) < auditPage {
				return
			}
		}
	}
}

// verifyAudit goes through the chain. What is wrong is told entry by entry; an entry that is wrong in itself is taken as it
// stands for what follows it, so that one change is one fault.
func verifyAudit(ctx context.Context, st *store.Store, head *noted, c console) error {
	headSeq, headHash, err := st.AuditHead(ctx)
	if err != nil {
		return errUndecided{told(err)}
	}
	var last model.AuditEntry
	var faults int
	fault := func(format string, args ...any) {
		faults++
		_, _ = fmt.Fprintf(c.out, format+"\n", args...)
	}
	seen := head == nil
	books := st.Reconcile(func(difference string) { fault("%s", plain(difference)) })
	var page []model.AuditEntry
	compare := func() error {
		err := books.Entries(ctx, page)
		page = page[:0]
		return err
	}
	for e, err := range auditEntries(ctx, st) {
		if err != nil {
			return errUndecided{told(err)}
		}
		switch {
		case e.Seq == last.Seq+2:
			fault("entry %d is missing", last.Seq+1)
		case e.Seq > last.Seq+1:
			fault("entries %d to %d are missing", last.Seq+1, e.Seq-1)
		case e.Previous != last.Hash && last.Seq == 0:
			fault("entry 1 was not the first one: those before it are missing, or it was changed")
		case e.Previous != last.Hash:
			fault("entry %d does not follow entry %d: one of them was changed, or put elsewhere", e.Seq, last.Seq)
		}
		if e.Sum() != e.Hash {
			fault("entry %d was changed: %s %s by %s at %s", e.Seq, plain(e.Action), plain(e.Target), plain(e.Actor), e.Time.UTC().Format("2006-01-02T15:04:05Z"))
		}
		if head != nil && e.Seq == head.seq {
			seen = true
			if e.HashText() != head.hash {
				fault("entry %d is not the one that was noted", e.Seq)
			}
		}
		if e.Seq == headSeq && e.Hash != headHash {
			fault("entry %d is not the one that was written as the last one", e.Seq)
		}
		last = e
		if page = append(page, e); len(page) == auditPage {
			if err := compare(); err != nil {
				return errUndecided{told(err)}
			}
		}
	}
	if err := compare(); err != nil {
		return errUndecided{told(err)}
	}
	if err := books.Finish(ctx, func() error { return entriesSince(ctx, st, books, last.Seq) }); err != nil {
		return errUndecided{told(err)}
	}
	// Entries that came while this was reading are behind the head that was read first, and not behind the one that is now.
	if now, _, err := st.AuditHead(ctx); err != nil {
		return errUndecided{told(err)}
	} else if last.Seq > now {
		fault("entries behind %d were not written by the service: the log knows of no more", now)
	}
	switch missing := headSeq - last.Seq; {
	case missing == 1:
		fault("entry %d is missing: the end was cut off", headSeq)
	case missing > 1:
		fault("entries %d to %d are missing: the end was cut off", last.Seq+1, headSeq)
	}
	if !seen {
		fault("entry %d, which was noted, is missing", head.seq)
	}
	if faults > 0 {
		return fmt.Errorf("the audit log is not whole, or the database does not agree with it: faults: %d", faults)
	}
	if last.Seq == 0 {
		_, err = fmt.Fprintln(c.out, "The audit log is empty.")
		return err
	}
	_, err = fmt.Fprintf(c.out, "%d entries, all whole and in their order. The last one, to note and to give as --head the next time:\n%d:%s\n",
		last.Seq, last.Seq, last.HashText())
	return err
}

// entriesSince hands in the entries behind one.
func entriesSince(ctx context.Context, st *store.Store, books *store.Reconciliation, after int64) error {
	for {
		page, err := st.AuditEntries(ctx, after, auditPage)
		if err == nil {
			err = books.Entries(ctx, page)
		}
		if err != nil || len(page) < auditPage {
			return err
		}
		after = page[len(page)-1].Seq
	}
}

// plain shows what may be anybody's words by now, without what a terminal would act on.
func plain(s string) string {
	quoted := strconv.QuoteToASCII(s)
	return quoted[1 : len(quoted)-1]
}

// exportAudit writes the log as NDJSON.
func exportAudit(ctx context.Context, st *store.Store, c console) error {
	w := bufio.NewWriter(c.out)
	for e, err := range auditEntries(ctx, st) {
		if err != nil {
			return errors.Join(errUndecided{told(err)}, w.Flush())
		}
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(model.ShownJSON(line), '\n')); err != nil {
			return err
		}
	}
	return w.Flush()
}
