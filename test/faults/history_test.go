package main

import "testing"

func TestWithoutHistory(t *testing.T) {
	for message, want := range map[string]string{
		`{"id":1,"command":"tx","transaction":"AB"}`:  `{"id":1,"command":"t_","transaction":"AB"}`,
		`{"id":2,"command":"account_tx","limit":200}`: `{"id":2,"command":"account_t_","limit":200}`,
		`{"id":3,"command":"transaction_entry"}`:      `{"id":3,"command":"transaction_entr_"}`,
		`{"id":4,"command":"submit","tx_blob":"12"}`:  `{"id":4,"command":"submit","tx_blob":"12"}`,
	} {
		b := []byte(message)
		if withoutHistory(b); string(b) != want {
			t.Errorf("%s became %s", message, b)
		}
	}
}
