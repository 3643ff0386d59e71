package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/issuer/access"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

const tokenUsage = `issuer token makes and revokes the tokens of the administrators' side.

  issuer token create --name NAME --role admin|reviewer|reader [--expires 90d]   prints a token, this once
  issuer token list [--json]                                                     shows all that there are
  issuer token revoke NAME                                                       by its name or id, at once and for good
  issuer token deny --subject SUB | --jti ID [--expires 30d]                     refuses JWTs of the identity provider
  issuer token allow --subject SUB | --jti ID                                    takes that back

A denial is of all JWTs of a subject (sub), whenever they were made, or of a single one by its id (jti). It holds at once, for every
process of the service, and until it expires, after 30 days where nothing is said: a JWT that holds for longer holds again then.

Tokens are kept in the journal's database, by their hash alone: DATA_DIR or DATABASE_URL must be those of the service, which
need not run; a first token may be made before its first start. A reader sees what was issued and asked for, a reviewer also decides on requests and reads their documents, an
admin also issues in batches and revokes. The token alone goes to standard output, and all else to standard error. Programs
send it as: Authorization: Bearer TOKEN. Exit status: 0 done, 1 failed, 2 wrong use.

%s`

// storeSettings are where the journal is.
type storeSettings struct {
	settings
	flags *pflag.FlagSet
}

// readStoreSettings reads the flags of a command that works on the journal alone.
func readStoreSettings(name string, args []string, dotenv string, more func(*pflag.FlagSet)) (storeSettings, *config.Values, error) {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	if more != nil {
		more(flags)
	}
	v, err := config.Read(flags, config.Pick("DATA_DIR", "DATABASE_URL"), args, dotenv)
	s := storeSettings{flags: flags}
	if err != nil {
		return s, v, err
	}
	s.dataDir, s.databaseURL = v.String("DATA_DIR"), v.String("DATABASE_URL")
	checkDatabaseURL(v, s.databaseURL)
	return s, v, nil
}

// warn tells what of the settings deserves a look, where a command keeps no log. What is wrong is told by the error.
func warn(v *config.Values, c console) error {
	if v.Err() != nil {
		return nil
	}
	return v.Warn(c.err, "issuer")
}

// runToken is the subcommand.
func runToken(ctx context.Context, args []string, dotenv string, c console) error {
	var what string
	if len(args) > 0 {
		what, args = args[0], args[1:]
	}
	var name, role, expires, subject, id *string
	var asJSON *bool
	s, v, err := readStoreSettings("issuer token", args, dotenv, func(f *pflag.FlagSet) {
		switch what {
		case "create":
			name = f.String("name", "", "what the audit log calls whoever uses it")
			role = f.String("role", "", "admin, reviewer or reader")
			expires = f.String("expires", "", "how long it holds, such as 12h or 90d, or until when, such as 2030-12-31T00:00:00Z; without it, until it is revoked")
		case "deny", "allow":
			subject = f.String("subject", "", "whose JWTs: their sub claim")
			id = f.String("jti", "", "which JWT: its jti claim")
			if what == "deny" {
				expires = f.String("expires", "30d", "for how long, such as 12h or 90d, or until when, such as 2030-12-31T00:00:00Z: longer than the JWT holds")
			}
		case "list":
			asJSON = f.Bool("json", false, "for programs")
		}
	})
	help := errors.Is(err, pflag.ErrHelp)
	if help || what == "--help" || what == "-h" {
		_, err := fmt.Fprintf(c.out, tokenUsage, s.flags.FlagUsages())
		return err
	}
	if err != nil {
		return err
	}
	switch what {
	case "create":
		return s.createToken(ctx, v, c, *name, *role, *expires)
	case "list":
		return s.listTokens(ctx, v, c, *asJSON)
	case "revoke":
		return s.revokeToken(ctx, v, c)
	case "deny":
		return s.deny(ctx, v, c, *subject, *id, *expires)
	case "allow":
		return s.allow(ctx, v, c, *subject, *id)
	}
	v.Wrong("issuer token must be followed by create, list, revoke, deny or allow")
	return v.Err()
}

// purpose is what a command does with the journal.
type purpose int

const (
	mayMake purpose = iota // writes, and makes the journal where there is none
	mustBe                 // writes to a journal that is there
	reads
)

// missing is the journal's file where there is none yet; empty where there is one, or a database.
func (s storeSettings) missing() string {
	if s.databaseURL != "" {
		return ""
	}
	path := journalFile(s.dataDir)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	return path
}

// open opens the journal, once nothing is wrong with what was asked for. Where there is none, only one who has something to put
// into it makes one: the others would make an empty one in a wrong folder, and find nothing in it.
func (s storeSettings) open(ctx context.Context, v *config.Values, c console, words int, may purpose) (*store.Store, error) {
	if n := s.flags.NArg(); n > words {
		v.Wrong(fmt.Sprintf("%d words too many; --help shows how it is used", n-words))
	}
	if s.dataDir == "" {
		v.Fault("DATA_DIR", "must name a folder")
	}
	if err := errors.Join(v.Err(), warn(v, c)); err != nil {
		return nil, err
	}
	if missing := s.missing(); missing != "" && may != mayMake {
		return nil, fmt.Errorf("there is no journal at %s: set DATA_DIR, or DATABASE_URL, to the service's own", missing)
	} else if _, err := os.Stat(headFile(s.dataDir)); missing != "" && err == nil {
		return nil, fmt.Errorf("the journal at %s is gone, and the service has used it: stop the service and restore it, or remove %s", missing, headFile(s.dataDir))
	}
	how := store.AccessWrite
	if may == reads {
		how = store.AccessRead
	}
	return openStore(ctx, s.settings, how, nil, nil, discard)
}

func (s storeSettings) createToken(ctx context.Context, v *config.Values, c console, name, role, expires string) (err error) {
	now := time.Now()
	name = strings.TrimSpace(name)
	if err := access.CheckName(name); err != nil {
		v.Wrong("--" + told(err).Error())
	}
	r, err := model.ParseRole(role)
	if err != nil {
		v.Wrong("--role " + err.Error())
	}
	var until time.Time
	if expires != "" {
		if until, err = parseExpires(expires, now); err != nil {
			v.Wrong("--expires " + err.Error())
		}
	}
	made := s.missing()
	st, err := s.open(ctx, v, c, 0, mayMake)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if made != "" {
		if _, err := fmt.Fprintf(c.err, "There was no journal: made %s. The service must be started with the same DATA_DIR.\n", made); err != nil {
			return err
		}
	}
	text, token, err := access.Mint(name, r, now, until)
	if err != nil {
		return err
	}
	detail, err := json.Marshal(map[string]any{"id": token.ID, "role": token.Role, "expires": shownTime(token.Expires)})
	if err != nil {
		return err
	}
	entry := model.AuditEntry{Actor: commandActor(), Action: "token.create", Target: name, Detail: detail}
	if err := st.CreateToken(ctx, token, entry); err != nil {
		return told(err)
	}
	_, err = fmt.Fprintln(c.out, text.Reveal())
	if err == nil {
		_, err = fmt.Fprintf(c.err, "Keep it safe: it is shown only now. Role %s, %s. Revoke it with: issuer token revoke %s\n",
			token.Role, holdsUntil(token), token.Name)
	}
	return err
}

func (s storeSettings) listTokens(ctx context.Context, v *config.Values, c console, asJSON bool) (err error) {
	st, err := s.open(ctx, v, c, 0, reads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	tokens, err := st.Tokens(ctx)
	if err != nil {
		return told(err)
	}
	denials, err := st.Denials(ctx)
	if err != nil {
		return told(err)
	}
	now := time.Now()
	if asJSON {
		type shown struct {
			ID       string     `json:"id"`
			Name     string     `json:"name"`
			Role     model.Role `json:"role"`
			Holds    bool       `json:"holds"`
			Created  string     `json:"created"`
			Expires  string     `json:"expires,omitempty"`
			Revoked  string     `json:"revoked,omitempty"`
			LastUsed string     `json:"last_used,omitempty"`
		}
		out := json.NewEncoder(c.out)
		for _, t := range tokens {
			if err := out.Encode(shown{t.ID, t.Name, t.Role, t.Holds(now), shownTime(t.Created), shownTime(t.Expires), shownTime(t.Revoked),
				shownTime(t.LastUsed)}); err != nil {
				return err
			}
		}
		for _, d := range denials {
			if err := out.Encode(map[string]string{"denied": string(d.Kind), "value": d.Value, "created": shownTime(d.Created), "expires": shownTime(d.Expires)}); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tROLE\tSTATE\tCREATED\tLAST USED\tID")
	for _, t := range tokens {
		state := holdsUntil(t)
		switch {
		case !t.Revoked.IsZero():
			state = "revoked " + t.Revoked.UTC().Format(time.DateOnly)
		case !t.Holds(now):
			state = "expired " + t.Expires.UTC().Format(time.DateOnly)
		}
		used := "never"
		if !t.LastUsed.IsZero() {
			used = t.LastUsed.UTC().Format("2006-01-02 15:04Z")
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Name, t.Role, state, t.Created.UTC().Format(time.DateOnly), used, t.ID)
	}
	if len(denials) > 0 {
		_, _ = fmt.Fprintln(w, "\nDENIED JWTS OF\tVALUE\tUNTIL\tSINCE")
	}
	for _, d := range denials {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Kind, strconv.QuoteToASCII(d.Value), d.Expires.UTC().Format("2006-01-02 15:04Z"), d.Created.UTC().Format(time.DateOnly))
	}
	return w.Flush()
}

// denialOf is what a denial names.
func denialOf(v *config.Values, subject, id string) model.Denial {
	switch {
	case (subject == "") == (id == ""):
		v.Wrong("one of --subject and --jti must say which JWTs")
		return model.Denial{}
	case id != "":
		return model.Denial{Kind: model.DeniedID, Value: id}
	}
	return model.Denial{Kind: model.DeniedSubject, Value: subject}
}

func (s storeSettings) deny(ctx context.Context, v *config.Values, c console, subject, id, expires string) (err error) {
	d := denialOf(v, subject, id)
	if d.Expires, err = parseExpires(expires, time.Now()); err != nil {
		v.Wrong("--expires " + err.Error())
	}
	st, err := s.open(ctx, v, c, 0, mustBe)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.Deny(ctx, d, model.AuditEntry{Actor: commandActor()}); err != nil {
		return told(err)
	}
	_, err = fmt.Fprintf(c.err, "Denied until %s. It holds nowhere from now on.\n", d.Expires.UTC().Format("2006-01-02 15:04Z"))
	return err
}

func (s storeSettings) allow(ctx context.Context, v *config.Values, c console, subject, id string) (err error) {
	d := denialOf(v, subject, id)
	st, err := s.open(ctx, v, c, 0, mustBe)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.Allow(ctx, d.Kind, d.Value, model.AuditEntry{Actor: commandActor()}); err != nil {
		return told(err)
	}
	_, err = fmt.Fprintln(c.err, "Allowed again.")
	return err
}

func (s storeSettings) revokeToken(ctx context.Context, v *config.Values, c console) (err error) {
	if s.flags.NArg() == 0 {
		v.Wrong("issuer token revoke needs the NAME or the id of a token")
	}
	st, err := s.open(ctx, v, c, 1, mustBe)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	which := s.flags.Arg(0)
	t, err := st.RevokeToken(ctx, which, model.AuditEntry{Actor: commandActor(), Action: "token.revoke", Target: which})
	if err != nil {
		return told(err)
	}
	_, err = fmt.Fprintf(c.err, "Revoked %s (%s). It holds nowhere any more.\n", t.Name, t.Role)
	return err
}

// told says what a code means where a person reads it, without what is for a log.
func told(err error) error {
	var e *model.Error
	if errors.As(err, &e) && e.Message != "" {
		return fmt.Errorf("%s", e.Message)
	}
	return err
}

// commandActor is who runs the program.
func commandActor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return "cli:" + u.Username
	}
	return "cli"
}

func shownTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func holdsUntil(t model.Token) string {
	if t.Expires.IsZero() {
		return "holds until it is revoked"
	}
	return "holds until " + t.Expires.UTC().Format("2006-01-02 15:04Z")
}

// mostExpires bounds how long a token may hold.
const mostExpires = 10 * 365 * 24 * time.Hour

var errExpires = errors.New("must be a time to come: such as 12h or 90d from now, or an instant such as 2030-12-31T00:00:00Z, within ten years")

func parseExpires(s string, now time.Time) (time.Time, error) {
	var d time.Duration
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return time.Time{}, errExpires
		}
		d = time.Duration(n) * 24 * time.Hour
	} else if parsed, err := time.ParseDuration(s); err == nil {
		d = parsed
	} else {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return time.Time{}, errExpires
		}
		d = at.Sub(now)
	}
	if d <= 0 || d > mostExpires {
		return time.Time{}, errExpires
	}
	return now.Add(d).UTC(), nil
}
