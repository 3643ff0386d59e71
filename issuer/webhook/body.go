package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// bodyOf writes what is told of an event; the package's documentation says which fields. It is the same each time: names are
// in the order of the alphabet.
func bodyOf(e model.Event) ([]byte, error) {
	data := map[string]any{}
	if len(e.Data) > 0 {
		var own map[string]json.RawMessage
		if err := json.Unmarshal(e.Data, &own); err != nil {
			return nil, fmt.Errorf("its data is no JSON object: %w", err)
		}
		for name, value := range own {
			data[name] = value
		}
	}
	data["issuer"], data["subject"], data["credential"] = e.Issuer, e.Subject, e.Type.Text()
	for name, value := range map[string]string{"request": string(e.Application), "operation": string(e.Operation), "actor": e.Actor} {
		delete(data, name)
		if value != "" {
			data[name] = value
		}
	}
	return json.Marshal(struct {
		Type      model.EventKind `json:"type"`
		Timestamp string          `json:"timestamp"`
		Data      map[string]any  `json:"data"`
	}{e.Kind, e.Time.UTC().Format(time.RFC3339Nano), data})
}
