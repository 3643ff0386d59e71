package codec

import "crypto/sha256"

// Version bytes of encoded things (tokens.h).
const (
	tokenAccountID     = 0
	tokenNodePublic    = 28
	tokenAccountPublic = 35
	tokenNodePrivate   = 32
	tokenFamilySeed    = 33
	tokenAccountSecret = 34
)

// seedEd25519 is the prefix of Ed25519 seeds ("sEd…"), which rippled itself does not print but wallets do.
var seedEd25519 = [3]byte{0x01, 0xE1, 0x4B}

const base58Alphabet = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"

var base58Digit = func() (d [256]int8) {
	for i := range d {
		d[i] = -1
	}
	for i := range len(base58Alphabet) {
		d[base58Alphabet[i]] = int8(i)
	}
	return d
}()

const (
	maxTokenBytes = 64 // payload, prefix and checksum together
	maxTokenChars = 96
)

// encodeToken is base58 of prefix, payload and checksum. Payloads here are at most 33 bytes.
func encodeToken(prefix, payload []byte) string {
	var in [maxTokenBytes]byte
	n := copy(in[:], prefix)
	n += copy(in[n:maxTokenBytes-4], payload)
	sum := checksum(in[:n])
	n += copy(in[n:], sum[:])

	zeros := 0
	for zeros < n && in[zeros] == 0 {
		zeros++
	}
	// Little-endian limbs of five base58 digits each.
	const limb = 58 * 58 * 58 * 58 * 58
	var limbs [(maxTokenBytes*138/100 + 5) / 5]uint32
	used := 0
	for _, b := range in[zeros:n] {
		carry := uint64(b)
		for i := range used {
			carry += uint64(limbs[i]) << 8
			limbs[i] = uint32(carry % limb)
			carry /= limb
		}
		if carry > 0 {
			limbs[used] = uint32(carry)
			used++
		}
	}
	var out [maxTokenChars]byte
	pos := len(out)
	for i := range used {
		v := limbs[i]
		for range 5 {
			pos--
			out[pos] = base58Alphabet[v%58]
			v /= 58
		}
	}
	for pos < len(out) && out[pos] == base58Alphabet[0] {
		pos++
	}
	for range zeros {
		pos--
		out[pos] = base58Alphabet[0]
	}
	return string(out[pos:])
}

// decodeToken gives prefix and payload of a base58 token, at most maxTokenBytes long, whose checksum is right.
func decodeToken(s string, buf *[maxTokenBytes]byte) ([]byte, bool) {
	if len(s) == 0 || len(s) > maxTokenChars {
		return nil, false
	}
	zeros := 0
	for zeros < len(s) && s[zeros] == base58Alphabet[0] {
		zeros++
	}
	used := 0 // bytes at the end of buf
	for i := zeros; i < len(s); i++ {
		d := base58Digit[s[i]]
		if d < 0 {
			return nil, false
		}
		carry := uint32(d)
		for j := range used {
			p := &buf[len(buf)-1-j]
			carry += uint32(*p) * 58
			*p = byte(carry)
			carry >>= 8
		}
		for carry > 0 {
			if used == len(buf) {
				return nil, false
			}
			buf[len(buf)-1-used] = byte(carry)
			carry >>= 8
			used++
		}
	}
	if zeros+used > len(buf) || zeros+used < 5 {
		return nil, false
	}
	out := buf[len(buf)-used-zeros:]
	clear(out[:zeros])
	body := out[:len(out)-4]
	if checksum(body) != [4]byte(out[len(out)-4:]) {
		return nil, false
	}
	return body, true
}

func checksum(b []byte) [4]byte {
	one := sha256.Sum256(b)
	two := sha256.Sum256(one[:])
	return [4]byte(two[:4])
}
