package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// restamp makes the checksum of a file's header right.
func restamp(head []byte) []byte {
	sum := crc32.Checksum(head[:fileHeaderSize-4], castagnoli)
	binary.BigEndian.PutUint32(head[fileHeaderSize-4:], sum)
	return head
}

// image is a journal of three records with a known salt.
func image() []byte {
	head, _ := newFileHeader()
	salt := [saltSize]byte{1, 2, 3, 4, 5, 6, 7, 8}
	copy(head[12:], salt[:])
	out := restamp(head)
	for _, r := range three {
		out = appendRecord(out, &salt, int64(len(out)), int64(len(out)), true, []byte(r))
	}
	return out
}

// reopened fails unless the journal on d, replayed to records, can be appended
// to and read again.
func reopened(t *testing.T, j *Journal, d *disk, records [][]byte) {
	t.Helper()
	mustAppend(t, j, "one more")
	mustClose(t, j)
	j = openOn(t, d, Options{})
	got, dropped := replayAll(t, j)
	mustClose(t, j)
	if len(got) != len(records)+1 || got[len(records)] != "one more" || dropped != nil {
		t.Fatalf("%d records after one more than %d, dropped %v", len(got), len(records), dropped)
	}
	for i, r := range records {
		if got[i] != string(r) {
			t.Fatalf("record %d was %q and is %q", i+1, r, got[i])
		}
	}
}

// FuzzReplay reads any bytes as a journal.
func FuzzReplay(f *testing.F) {
	whole := image()
	f.Add([]byte{})
	f.Add(whole)
	f.Add(whole[:fileHeaderSize])
	f.Add(whole[:len(whole)-1])
	f.Add(append(bytes.Clone(whole), make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, input []byte) {
		content := bytes.Clone(input)
		// The file's header is made to fit, or few inputs would get past it.
		if len(content) >= fileHeaderSize {
			copy(content, magic[:])
			binary.BigEndian.PutUint32(content[8:], version)
			restamp(content)
		}
		d := &disk{data: bytes.Clone(content)}
		j, err := open("disk", Options{}, d)
		if err != nil {
			return
		}
		var records [][]byte
		total := 0
		dropped, err := j.Replay(func(p []byte) error {
			records = append(records, p)
			total += len(p) + recordHeaderSize
			return nil
		})
		if total > len(content) {
			t.Fatalf("%d bytes of records in %d of file", total, len(content))
		}
		if err != nil {
			mustClose(t, j)
			if !bytes.Equal(d.data, content) {
				t.Fatalf("changed the file and failed: %v", err)
			}
			return
		}
		if dropped != nil && dropped.Record != len(records)+1 && dropped.Record != 0 {
			t.Fatalf("%d records, dropped %v", len(records), dropped)
		}
		reopened(t, j, d, records)
	})
}

// FuzzDamage changes a good file. What is read is a beginning of what was
// written, whatever was changed, and less than that is an error unless the
// change is in the last record.
func FuzzDamage(f *testing.F) {
	f.Add(uint64(1), []byte{0, 30, 1}, uint16(0))
	f.Add(uint64(2), []byte{0, 100, 255, 0, 40, 3}, uint16(9))
	f.Fuzz(func(t *testing.T, seed uint64, changes []byte, cut uint16) {
		r := rand.New(rand.NewPCG(seed, 0))
		d := &disk{}
		j := openOn(t, d, Options{})
		replayAll(t, j)
		var records [][]byte
		lastStart := len(d.data)
		for range r.IntN(6) {
			p := make([]byte, r.IntN(200))
			for i := range p {
				p[i] = marker[r.IntN(3)]
			}
			lastStart = len(d.data)
			if err := j.Append(p); err != nil {
				t.Fatal(err)
			}
			records = append(records, p)
		}
		mustClose(t, j)

		content := bytes.Clone(d.data)
		first := len(content) // byte changed
		for ; len(changes) >= 3; changes = changes[3:] {
			at := fileHeaderSize + int(binary.BigEndian.Uint16(changes))
			if at < len(content) && changes[2] != 0 {
				content[at] ^= changes[2]
			}
		}
		for i := range content {
			if content[i] != d.data[i] {
				first = i
				break
			}
		}
		content = content[:max(fileHeaderSize, len(content)-int(cut))]

		d2 := &disk{data: bytes.Clone(content)}
		j = openOn(t, d2, Options{})
		n := 0
		_, err := j.Replay(func(p []byte) error {
			if n >= len(records) || !bytes.Equal(p, records[n]) {
				t.Fatalf("record %d is %q", n+1, p)
			}
			n++
			return nil
		})
		var damage *DamageError
		switch {
		case errors.As(err, &damage):
			if first >= lastStart {
				t.Fatalf("only the last record was changed: %v", err)
			}
			if damage.Record != n+1 || damage.Offset > int64(first) {
				t.Fatalf("%d records, first change at %d: %v", n, first, err)
			}
			mustClose(t, j)
		case err != nil:
			t.Fatal(err)
		default:
			if cut == 0 && first < lastStart && lastWhole(d.data[lastStart:], content[lastStart:]) {
				t.Fatalf("byte %d was changed, the last record is whole, and %d of %d records were read without an error", first, n, len(records))
			}
			reopened(t, j, d2, records[:n])
		}
	})
}

// lastWhole says whether the header of the last record is as it was.
func lastWhole(was, is []byte) bool {
	return len(is) >= recordHeaderSize && bytes.Equal(was[:recordHeaderSize], is[:recordHeaderSize])
}
