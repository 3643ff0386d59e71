package config

import (
	"net"
	"net/url"
	"strings"
	"time"
)

// Sandbox is the value of XRPL_NETWORK that stands for the embedded ledger.
const Sandbox = "sandbox"

// Networks are the public networks that XRPL_NETWORK knows by name, with a node of each. Any other node is set by its
// own address.
var Networks = map[string]string{
	"devnet":  "wss://s.devnet.rippletest.net:51233",
	"testnet": "wss://s.altnet.rippletest.net:51233",
	"mainnet": "wss://xrplcluster.com",
}

// Network is where the ledger is.
type Network struct {
	// Name is sandbox, devnet, testnet, mainnet, or scheme and host of the node's address.
	Name string
	// Node is the address to ask: ws(s):// or http(s)://.
	Node Address
}

// Address is a node's address. Providers put API keys into its path, query or user part: printed, logged or encoded it
// is scheme and host only.
type Address string

// URL returns the whole address, which may hold a key.
func (a Address) URL() string { return string(a) }

// String returns scheme and host.
func (a Address) String() string {
	u, err := url.Parse(string(a))
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// GoString is [Address.String].
func (a Address) GoString() string { return a.String() }

// MarshalText is [Address.String].
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Keyed says whether the address has more than scheme and host, which is secret then.
func (a Address) Keyed() bool { return strings.TrimSuffix(string(a), "/") != a.String() }

// networkValue reads XRPL_NETWORK, or the file that XRPL_NETWORK_FILE names.
func (c *Values) networkValue() (value string, ok bool) {
	value = c.String("XRPL_NETWORK")
	path := c.String("XRPL_NETWORK_FILE")
	if path == "" {
		return value, true
	}
	fromFile, err := SecretFile(path)
	switch {
	case err != nil:
		c.Wrong("XRPL_NETWORK_FILE: " + err.Error())
	case value != Sandbox && value != fromFile:
		c.Wrong("XRPL_NETWORK and XRPL_NETWORK_FILE hold different addresses: set one of them")
	default:
		return fromFile, true
	}
	return "", false
}

// Network reads XRPL_NETWORK or XRPL_NETWORK_FILE and, for the sandbox, SANDBOX_LISTEN, the address at which the embedded
// ledger answers.
func (c *Values) Network() Network {
	value, ok := c.networkValue()
	if !ok {
		return Network{}
	}
	name := strings.ToLower(value)
	if name == Sandbox {
		return Network{name, Address("ws://" + Dialable(c.HostPort("SANDBOX_LISTEN")))}
	}
	if node, ok := Networks[name]; ok {
		return Network{name, Address(node)}
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ws" && u.Scheme != "wss") {
		c.Fault("XRPL_NETWORK", "must be sandbox, devnet, testnet, mainnet, or a node's http(s):// or ws(s):// address")
		return Network{}
	}
	node := Address(u.String())
	return Network{node.String(), node}
}

// NetworkIDs are the network ids of the public networks (xrpl.org, NetworkID).
var NetworkIDs = map[string]uint32{"mainnet": 0, "testnet": 1, "devnet": 2}

// Nodes reads XRPL_NODES, the addresses of more nodes of the same network.
func (c *Values) Nodes() []Address {
	var nodes []Address
	for _, value := range strings.Split(c.String("XRPL_NODES"), ",") {
		if value = strings.TrimSpace(value); value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ws" && u.Scheme != "wss") {
			c.Fault("XRPL_NODES", "must be http(s):// or ws(s):// addresses of nodes, separated by commas") // not repeated: it may hold a key
			return nil
		}
		nodes = append(nodes, Address(value))
	}
	return nodes
}

// PlainRemote says whether others on the way to a node can read and change what it says: it is on another machine, and its address is
// ws:// or http://.
func (a Address) PlainRemote() bool {
	u, err := url.Parse(string(a))
	if err != nil || u.Scheme == "https" || u.Scheme == "wss" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// Dialable turns an address to listen on into one to dial: a listener on every address is also on loopback.
func Dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// Service reads ISSUER_URL, the address of a running service, without a slash at its end; where it is not set, it is at
// HTTP_LISTEN on this machine.
func (c *Values) Service() string {
	value := strings.TrimRight(c.String("ISSUER_URL"), "/")
	if value == "" {
		return "http://" + Dialable(c.HostPort("HTTP_LISTEN"))
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		c.Fault("ISSUER_URL", "must be the service's address, such as http://127.0.0.1:8080") // not repeated: it may hold a password
	}
	return value
}

// OpenToOthers says whether what is sent to a service can be read on its way: it leaves this machine, and not by HTTPS.
func OpenToOthers(service string) bool {
	u, err := url.Parse(service)
	if err != nil || u.Scheme == "https" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// Bounds of XRPL_MAX_LEDGER_AGE. A public network closes a ledger every three to five seconds.
const leastLedgerAge, mostLedgerAge = 10 * time.Second, 24 * time.Hour

// MaxLedgerAge reads XRPL_MAX_LEDGER_AGE: how old a validated ledger may be before nothing is read from it; 0 for any age.
// It applies to every network but the embedded one, which closes ledgers on command and is this program itself.
func (c *Values) MaxLedgerAge(n Network) time.Duration {
	switch value := strings.ToLower(c.String(maxLedgerAge)); value {
	case "off", "0", "0s":
		return 0
	default:
		age := c.Duration(maxLedgerAge, leastLedgerAge, mostLedgerAge)
		if n.Name == Sandbox {
			return 0
		}
		return age
	}
}

const maxLedgerAge = "XRPL_MAX_LEDGER_AGE"
