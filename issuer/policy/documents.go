package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/xrplissuer/credential-issuer/model"
)

// maxFaultsTold is how many faults of documents their sender hears of at once.
const maxFaultsTold = 10

// CheckDocuments says whether documents are what the policy asks for. A refusal is a [model.Error] with
// [model.CodeBadRequest], which names each field that is wrong, as documents.address.city, and what it must be, in an order
// that does not change; of more than 10 it names the first. Documents with more bytes than the policy allows are refused first. It repeats names, and no value. What it costs is
// bounded whatever the documents are; those that would cost more are refused. The error is ctx's where that is over.
func (p *Policy) CheckDocuments(ctx context.Context, d model.Documents) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if most := p.MostDocumentBytes; most > 0 && int64(len(d.JSON())) > most {
		return model.BadRequest(fieldDocuments, fmt.Sprintf("must not have more than %d bytes; they have %d", most, len(d.JSON())))
	}
	if p.schema == nil {
		return nil
	}
	var documents any
	dec := json.NewDecoder(bytes.NewReader(d.JSON()))
	dec.UseNumber()
	if err := dec.Decode(&documents); err != nil {
		return model.BadRequest(fieldDocuments, "must be an object that is not empty")
	}
	if err := p.schema.limits.affordable(documents); err != nil {
		return err
	}
	if found := badNumbers(documents); len(found) > 0 {
		return told(found, documents)
	}
	err := p.schema.compiled.Validate(documents)
	if err == nil {
		return nil
	}
	var detail *jsonschema.ValidationError
	if !errors.As(err, &detail) {
		return fmt.Errorf("checking documents for %s: %w", p.Type, err)
	}
	return told(findings(detail), documents)
}

// badNumbers finds numbers that no exact arithmetic is done on. Locations are put together only where something is
// found.
func badNumbers(v any) (found []finding) {
	within := func(token string, below []finding) {
		for _, f := range below {
			found = append(found, finding{location: append([]string{token}, f.location...), rest: f.rest})
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			within(name, badNumbers(field))
		}
	case []any:
		for i, item := range v {
			if below := badNumbers(item); below != nil {
				within(strconv.Itoa(i), below)
			}
		}
	case json.Number:
		if !numberFits(v.String()) {
			found = append(found, finding{rest: numberBound})
		}
	}
	return found
}

// told puts what was found in documents into one error: the first faults in their order. Sorting all of them would
// cost more than finding them.
func told(found []finding, documents any) error {
	var first []finding
	for _, f := range found {
		i, twice := slices.BinarySearchFunc(first, f, finding.compare)
		if twice || i > maxFaultsTold {
			continue
		}
		first = slices.Insert(first, i, f)
		first = first[:min(len(first), maxFaultsTold+1)]
	}
	var words []string
	for i, f := range first {
		if i == maxFaultsTold {
			words = append(words, "and more")
			break
		}
		words = append(words, fieldDocuments+f.place(documents)+" "+f.rest)
	}
	return &model.Error{Code: model.CodeBadRequest, Message: strings.Join(words, "; ")}
}
