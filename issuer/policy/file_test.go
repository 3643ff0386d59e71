package policy

import (
	"strings"
	"testing"
	"time"
)

const least = "credential: Member\ndecision: automatic\ndocuments: true\n"

const full = `credential: Member
description: |
  Two lines
  of text
decision: review
documents: {type: object}
validity: {default: 365d, longest: 730d}
uri: "https://example.org/{issuer}/{subject}/{credential}"
proof: required
unaccepted: {per_subject: 3, in_all: 1000, withdraw_after: 30d}
keep_documents: 0s
renew_within: 1d12h
delete_expired_after: 0d
`

func TestAllFields(t *testing.T) {
	p := parsed(t, full)
	const day = 24 * time.Hour
	if p.Type != "Member" || p.Description != "Two lines\nof text\n" || p.Decision != Review || !p.ProofRequired ||
		p.Validity != (Validity{365 * day, 730 * day}) || p.Unaccepted != (Unaccepted{3, 1000, 30 * day}) ||
		p.KeepDocuments != 0 || p.RenewWithin != 36*time.Hour || p.DeleteExpiredAfter == nil || *p.DeleteExpiredAfter != 0 || !p.HasURI() {
		t.Errorf("%+v", p)
	}
}

// TestByteOrderMark: a policy may begin with one.
func TestByteOrderMark(t *testing.T) {
	if p := parsed(t, "\ufeff"+least); p.Type != "Member" {
		t.Errorf("%+v", p)
	}
}

func TestFewFields(t *testing.T) {
	p := parsed(t, least)
	if p.Type != "Member" || p.Decision != Automatic || p.ProofRequired || p.Validity != (Validity{}) || p.Unaccepted != (Unaccepted{}) ||
		p.KeepDocuments != 0 || p.RenewWithin != 0 || p.DeleteExpiredAfter != nil || p.HasURI() {
		t.Errorf("%+v", p)
	}
	if p = parsed(t, "credential: A\ndecision: review\nkeep_documents: 0s\ndecide_within: 366d\nmost_waiting: 7\n"); p.DecideWithin != MaxDecideWithin || p.MostWaiting != 7 {
		t.Errorf("%+v", p)
	}
	if p = parsed(t, "credential: A\ndecision: review\nkeep_documents: 30d\nproof: none\n"); p.DecideWithin != 90*24*time.Hour || p.MostWaiting != 10_000 || p.ProofRequired || p.KeepDocuments != 30*24*time.Hour {
		t.Errorf("%+v", p)
	}
}

// A date, and a word that other readers of YAML take for a boolean, are text.
func TestTextWithoutQuotes(t *testing.T) {
	if p := parsed(t, strings.Replace(least, "Member", "2030-01-01", 1)); p.Type != "2030-01-01" {
		t.Error(p.Type)
	}
	if p := parsed(t, strings.Replace(least, "Member", "NO", 1)); p.Type != "NO" {
		t.Error(p.Type)
	}
}

func TestFaultsOfFields(t *testing.T) {
	const typeRule = "credential must be 1 to 64 of the characters A-Z, a-z, 0-9, underscore, dash and period"
	const durationRule = "must be a duration in days, hours, minutes and seconds, such as 365d, 36h or 1d12h"
	with := func(line string) string { return least + line + "\n" }
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"nothing given", "proof: none\n", []string{"1: credential must be given: a credential type", "1: decision must be given: automatic or review"}},
		{"no documents", "credential: A\ndecision: automatic\n", []string{"1: documents must be given where the decision is automatic: what documents must be, as a JSON Schema; nobody else looks at them"}},
		{"documents null", "credential: A\ndecision: automatic\ndocuments:\n", []string{"3: documents must have a value; leave out what you do not want to set"}},
		{"type empty", strings.Replace(least, "Member", `""`, 1), []string{"1: " + typeRule + "; it is empty"}},
		{"type null", strings.Replace(least, "Member", "~", 1), []string{"1: credential must have a value; leave out what you do not want to set"}},
		{"type long", strings.Replace(least, "Member", strings.Repeat("a", 65), 1), []string{"1: " + typeRule + "; it has 65 bytes"}},
		{"type of control characters", strings.Replace(least, "Member", `"\e[2J<b>"`, 1), []string{"1: " + typeRule}},
		{"type a number", strings.Replace(least, "Member", "12", 1), []string{"1: credential must be text, not a number: put quotes around it"}},
		{"type a boolean", strings.Replace(least, "Member", "true", 1), []string{"1: credential must be text, not true or false: put quotes around it"}},
		{"type a list", strings.Replace(least, "Member", "[a]", 1), []string{"1: credential must be text, not a list"}},
		{"type a mapping", strings.Replace(least, "Member", "{a: b}", 1), []string{"1: credential must be text, not a mapping"}},
		{"decision", strings.Replace(least, "automatic", `"<b>\e"`, 1), []string{`2: decision must be automatic or review, not "<b>\x1b"`}},
		{"decision in another case", strings.Replace(least, "automatic", "Automatic", 1), []string{`2: decision must be automatic or review, not "Automatic"`}},
		{"proof", with("proof: true"), []string{"4: proof must be text, not true or false: put quotes around it"}},
		{"proof's word", with("proof: yes"), []string{`4: proof must be required or none, not "yes"`}},
		{"description long", with("description: " + strings.Repeat("é", 1001)), []string{"4: description must not have more than 1000 characters"}},
		{"description with controls", with(`description: "a\e[2Jb"`), []string{"4: description must be text without control characters"}},
		{"unknown", with("decisions: x"), []string{"4: the file must not have the field decisions; did you mean decision?"}},
		{"unknown with a dash", with("Keep-Documents: x"), []string{"4: the file must not have the field Keep-Documents; did you mean keep_documents?"}},
		{"unknown, letters turned", with("prfoo: x"), []string{"4: the file must not have the field prfoo; there are credential, description, decision, documents, validity, uri, proof, unaccepted, keep_documents, decide_within, most_waiting, most_waiting_bytes, most_document_bytes, renew_within and delete_expired_after"}},
		{"unknown with controls", with(`"\e[2J<script>": x`), []string{`4: the file must not have the field "\x1b[2J<script>"; there are credential, description, decision, documents, validity, uri, proof, unaccepted, keep_documents, decide_within, most_waiting, most_waiting_bytes, most_document_bytes, renew_within and delete_expired_after`}},
		{"unknown within", with("unaccepted: {per_subjects: 1, all: 2}"), []string{"4: unaccepted must not have the field per_subjects; did you mean per_subject?",
			"4: unaccepted must not have the field all; there are per_subject, in_all and withdraw_after"}},
		{"twice", with("decision: review"), []string{"4: the file must have decision once; it stands in line 2 already"}},
		{"twice within", with("validity:\n  default: 1d\n  default: 2d"), []string{"6: validity must have default once; it stands in line 5 already"}},
		{"name no text", with("1: a\n[a]: b\ntrue: c"), []string{
			"4: the file must have names that are text: put quotes around what reads as a number",
			"5: the file must have names that are text: put quotes around what reads as a list",
			"6: the file must have names that are text: put quotes around what reads as true or false"}},
		{"name long", with(strings.Repeat("a", 129) + ": b"), []string{`4: the file must have names of at most 128 bytes; "` + strings.Repeat("a", 40) + `"... is longer`}},
		{"validity no mapping", with("validity: 30d"), []string{"4: validity must have the fields default and longest, not be text"}},
		{"unaccepted a list", with("unaccepted: [1]"), []string{"4: unaccepted must have the fields per_subject, in_all and withdraw_after, not be a list"}},
		{"durations", with("validity: {default: 30, longest: 1y}\nrenew_within: \"\"\ndelete_expired_after: -1d"), []string{
			"4: validity.default " + durationRule + ": its unit is missing", "4: validity.longest " + durationRule,
			"5: renew_within " + durationRule, "6: delete_expired_after " + durationRule}},
		{"durations of nothing", with("validity: {default: 0d, longest: 0s}\nrenew_within: 0m\nunaccepted: {withdraw_after: 0h}"), []string{
			"4: validity.default must be longer than nothing", "4: validity.longest must be longer than nothing",
			"5: renew_within must be longer than nothing", "6: unaccepted.withdraw_after must be longer than nothing"}},
		{"duration long", with("validity: {longest: 36501d}"), []string{"4: validity.longest must not be longer than 36500d"}},
		{"default beyond longest", with("validity:\n  default: 2d\n  longest: 47h"), []string{"5: validity.default must not be longer than longest, which is 1d23h"}},
		{"renewed at once", with("validity: {default: 30d, longest: 60d}\nrenew_within: 30d"), []string{"5: renew_within must be shorter than credentials hold, which is 30d: otherwise each can be renewed at once"}},
		{"renewed at once, longest", with("validity: {longest: 30d}\nrenew_within: 31d"), []string{"5: renew_within must be shorter than credentials hold, which is 30d: otherwise each can be renewed at once"}},
		{"counts", with("unaccepted: {per_subject: 0, in_all: 1.5}"), []string{
			"4: unaccepted.per_subject must be a whole number from 1 to 1000000000; leave it out for no bound",
			"4: unaccepted.in_all must be a whole number from 1 to 1000000000; leave it out for no bound"}},
		{"more counts", with("unaccepted: {per_subject: -1, in_all: 99999999999999999999}"), []string{
			"4: unaccepted.per_subject must be a whole number from 1 to 1000000000; leave it out for no bound",
			"4: unaccepted.in_all must be a whole number from 1 to 1000000000; leave it out for no bound"}},
		{"counts in other words", with("unaccepted: {per_subject: 010, in_all: \"3\"}"), []string{
			"4: unaccepted.per_subject must be a whole number from 1 to 1000000000; leave it out for no bound",
			"4: unaccepted.in_all must be a whole number from 1 to 1000000000; leave it out for no bound"}},
		{"kept without review", with("keep_documents: 1d"), []string{"4: keep_documents must be left out where the decision is automatic: documents are not kept then"}},
		{"decided within, without review", with("decide_within: 1d"), []string{"4: decide_within must be left out where the decision is automatic: nobody waits for one then"}},
		{"many without review", with("most_waiting: 1"), []string{"4: most_waiting must be left out where the decision is automatic: nobody waits for one then"}},
		{"large without review", with("most_waiting_bytes: 1"), []string{"4: most_waiting_bytes must be left out where the decision is automatic: nobody waits for one then"}},
		{"large documents without review", with("most_document_bytes: 1"), []string{"4: most_document_bytes must be left out where the decision is automatic: nobody waits for one then"}},
		{"one larger than all", "credential: A\ndecision: review\nkeep_documents: 0s\nmost_waiting_bytes: 1000\n", []string{"4: most_document_bytes must not be more than most_waiting_bytes, which is 1000"}},
		{"none may wait", "credential: A\ndecision: review\nkeep_documents: 0s\nmost_waiting: 0\n", []string{"4: most_waiting must be a whole number from 1 to 1000000000; leave it out for 10000"}},
		{"decided at once", "credential: A\ndecision: review\nkeep_documents: 0s\ndecide_within: 0s\n", []string{"4: decide_within must be longer than nothing"}},
		{"decided some day", "credential: A\ndecision: review\nkeep_documents: 0s\ndecide_within: 366d1s\n", []string{"4: decide_within must not be longer than 366d: documents that nobody looks at are not kept for longer"}},
		{"review without keeping", "credential: A\ndecision: review\n", []string{"1: keep_documents must be given where the decision is review: how long documents are kept after it, such as 30d, or 0s"}},
		{"all at once", "credential: ''\ndecision: maybe\nproof: maybe\nuri: '{x}'\n", []string{
			"1: " + typeRule + "; it is empty", `2: decision must be automatic or review, not "maybe"`, `3: proof must be required or none, not "maybe"`,
			"4: uri must have variables as {subject}, {issuer} or {credential}, and no other braces"}},
	} {
		t.Run(tc.name, func(t *testing.T) { equal(t, faultsOf(t, tc.text), tc.want...) })
	}
}

func TestFaultsOfYAML(t *testing.T) {
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'z'; c++ {
		laughs += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "]\n"
	}
	// Lines of faults of syntax are the library's, which counts some of them from 0.
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", " the file must be a policy; it is empty"},
		{"a comment", "# nothing\n", " the file must be a policy; it is empty"},
		{"no mapping", "- a\n", "1: the file must have the fields credential, description, decision, documents, validity, uri, proof, unaccepted, keep_documents, decide_within, most_waiting, most_waiting_bytes, most_document_bytes, renew_within and delete_expired_after, not be a list"},
		{"null", "~\n", "1: the file must have the fields credential, description, decision, documents, validity, uri, proof, unaccepted, keep_documents, decide_within, most_waiting, most_waiting_bytes, most_document_bytes, renew_within and delete_expired_after, not be nothing"},
		{"no UTF-8", least + "uri: \xff\n", " the file must be UTF-8; it holds other bytes"},
		{"UTF-16", "\xff\xfea\x00", " the file must be UTF-8; it holds other bytes"},
		{"control character", least + "uri: \x1b[2J\n", ` the file must be YAML: "control characters are not allowed"`},
		{"tab", least + "\turi: a\n", `3: the file must be YAML: "found a tab character that violates indentation"`},
		{"cut off", least + "uri: [a,\n", `4: the file must be YAML: "did not find expected node content"`},
		{"two documents", least + "---\n" + least, "4: the file must be one policy; a second YAML document begins here"},
		{"fault in the second", least + "---\n[", `5: the file must be YAML: "did not find expected node content"`},
		{"anchor", least + "uri: &a x\n", "4: the file must not use anchors and aliases (& and *): write out what is meant"},
		{"alias to nothing", least + "uri: *a\n", ` the file must be YAML: "unknown anchor 'a' referenced"`},
		{"billion laughs", laughs, "1: the file must not use anchors and aliases (& and *): write out what is meant"},
		{"merge", least + "<<: {proof: none}\n", "4: the file must not use merge keys (<<): write out what is meant"},
		{"tag", least + "proof: !!str none\n", `4: the file must not use tags, such as "!!str"`},
		{"own tag", least + "proof: !<b> none\n", `4: the file must not use tags, such as "b"`},
		{"binary", least + "proof: !!binary bm9uZQ==\n", `4: the file must not use tags, such as "!!binary"`},
		{"just not too deep", "credential: A\ndecision: automatic\ndocuments: {const: " + strings.Repeat("[", 62) + strings.Repeat("]", 62) + "}\n", ""},
		{"too deep", "credential: A\ndecision: automatic\ndocuments: {const: " + strings.Repeat("[", 63) + strings.Repeat("]", 63) + "}\n", "3: the file must not nest deeper than 64 levels"},
		{"far too deep", "a: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000), "1: the file must not nest deeper than 64 levels"},
		{"as deep as a file can be", "a: " + strings.Repeat("[", 60_000), ` the file must be YAML: "exceeded max depth of 10000"`},
		{"as many dashes as a file can have", strings.Repeat("- ", 30_000), ` the file must be YAML: "exceeded max depth of 10000"`},
		{"as many questions", strings.Repeat("? ", 30_000), ` the file must be YAML: "exceeded max depth of 10000"`},
		{"as many braces", strings.Repeat("{a: ", 15_000), ` the file must be YAML: "exceeded max depth of 10000"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.want == "" {
				equal(t, faultsOf(t, tc.text))
				return
			}
			if got := faultsOf(t, tc.text); len(got) != 1 || strings.TrimPrefix(got[0], "a.yaml:") != tc.want {
				equal(t, got, tc.want)
			}
		})
	}
}
