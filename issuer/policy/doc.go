// Package policy is what an organisation has decided about its credentials: for each type, one YAML file that says what
// an applicant's documents must be, who decides, how long the credential holds, where its URI points, whether the
// applicant must prove to hold the subject's key, and when it is renewed, withdrawn and deleted.
//
// [Load] reads a folder of them and tells all faults of all files at once; [Holder] keeps the last folder that was free
// of faults, so that a mistake in a file never changes what a running service does. A [Policy] answers what can be
// answered without a ledger. Limits and times that need the ledger or the store are fields of it, for other rooms to
// apply.
//
// It reads files of the one folder that it is given, and nothing else: no address in a file is ever opened, whatever it
// looks like. It knows no clock, keeps nothing, and imports only the vocabulary.
//
// # Documents
//
// They are described in JSON Schema 2020-12, within these bounds, all of which are checked when the file is read:
//
//   - A keyword that is unknown, or that would not be checked, is a fault: a misspelt "required" must not let anybody in.
//     `format` is asserted, and so an unknown one is a fault too.
//   - `$ref` points into the same schema. There are no other documents, not even the metaschema, and no dynamic
//     references. A reference that leads back to itself without going into a field or an item is a fault.
//   - Patterns are Go's (RE2): their time is linear in the text. What RE2 cannot express (look-around, back-references)
//     is a fault.
//   - How often one value can be checked, through all references and alternatives, is computed beforehand. A schema for
//     which that explodes is a fault; for all others it gives the size of documents up to which they are checked at all.
//     So checking costs a bounded number of steps, whatever a caller sends.
package policy
