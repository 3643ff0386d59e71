package sandbox_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox"
)

// A test that wants to know what its client does when an answer is lost, and when ledgers that it saw are gone.
func ExampleServer_Trigger() {
	ctx := context.Background()
	spec, err := sandbox.ParseWeather("lose-after=5%,reset=5%,methods=submit")
	if err != nil {
		fmt.Println(err)
		return
	}
	spec.Seed = 7
	s, err := sandbox.Start(ctx, sandbox.Config{Listen: "127.0.0.1:0", Weather: &spec})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = s.Close(ctx) }()

	// The next submit is carried out, and not answered.
	if err := s.Trigger(sandbox.LoseAfter, sandbox.Rule{}); err != nil {
		fmt.Println(err)
	}
	_, err = http.Post(s.URL(), "application/json", strings.NewReader(`{"method":"submit","params":[{
		"secret":"`+sandbox.GenesisSeed+`","tx_json":{"TransactionType":"AccountSet","Account":"`+sandbox.GenesisAddress+`"}}]}`))
	fmt.Println("answered:", err == nil, "- answers lost:", s.FaultCounts()[sandbox.LoseAfter].Done)

	for range 3 {
		seq, err := s.Accept(ctx)
		fmt.Println("ledger", seq, err)
	}
	// Two of them are gone.
	if err := s.Trigger(sandbox.Rollback, sandbox.Rule{Ledgers: 2}); err != nil {
		fmt.Println(err)
	}
	seq, err := s.Accept(ctx)
	fmt.Println("ledger", seq, err)

	// Fair from here on.
	fmt.Println(s.SetWeather(sandbox.Weather{}), s.Weather())
	// Output:
	// answered: false - answers lost: 1
	// ledger 3 <nil>
	// ledger 4 <nil>
	// ledger 5 <nil>
	// ledger 4 <nil>
	// <nil> clear
}
