package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	headerIdempotencyKey = "Idempotency-Key"
	// headerReplayed says that an answer is that of an earlier request with the same key.
	headerReplayed = "Idempotent-Replayed"
)

// idempotencyKey reads the caller's name for a request; nil where it gave none. content returns what sets this request apart
// from others of its method and path: what is compared when the key comes again.
func idempotencyKey(c echo.Context, content func() []byte) (*model.IdempotencyKey, error) {
	values := c.Request().Header.Values(headerIdempotencyKey)
	switch len(values) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, model.BadRequest(headerIdempotencyKey, "must be given once")
	}
	key := values[0]
	valid := key != "" && len(key) <= model.MaxKeyLen
	for i := range len(key) {
		valid = valid && 0x20 <= key[i] && key[i] <= 0x7e
	}
	if !valid {
		return nil, model.BadRequest(headerIdempotencyKey, "must be 1 to 255 printable ASCII characters, such as a UUID")
	}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(c.Request().Method), []byte(c.Path()), content()} {
		_, _ = h.Write(part)
		_, _ = h.Write([]byte{0})
	}
	k := &model.IdempotencyKey{Key: key}
	h.Sum(k.RequestHash[:0])
	return k, nil
}

// canonical returns a JSON text with its fields in order and without space, so that the same request written in another
// way is the same request. What is no JSON stays as it is.
func canonical(body []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if nesting(body) <= model.MaxJSONDepth && bytes.Count(body, []byte{','}) <= maxCanonicalParts && decoder.Decode(&value) == nil {
		if _, err := decoder.Token(); err == io.EOF {
			if text, err := json.Marshal(value); err == nil {
				return text
			}
		}
	}
	return body
}

// maxCanonicalParts bounds the fields and elements of what is put in order: each takes many times the memory that it takes in
// the body. No request in good form has more fields.
const maxCanonicalParts = 2 * model.MaxJSONNames

// nesting counts brackets, also those in strings: more than there are levels, never fewer.
func nesting(body []byte) int {
	depth, most := 0, 0
	for _, b := range body {
		switch b {
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	return most
}

// replayed marks an answer as that of an earlier request.
func replayed(h http.Header) { h.Set(headerReplayed, "true") }
