package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Replay calls each for every record's payload, in the order of their
// appending; the slice is each's to keep. It must be called once, before the
// first Append, and each must not call the journal.
//
// What an interrupted write left at the end is cut off the file and returned, for
// the caller to warn of. A damaged record is a *DamageError: the records before
// it have been given to each, and the file is left as it is, as it is when each
// returns an error or reading fails. The journal can only be closed then.
func (j *Journal) Replay(each func(payload []byte) error) (*Dropped, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return nil, fmt.Errorf("replay journal %s: %w", j.path, ErrClosed)
	case j.replayed:
		return nil, fmt.Errorf("replay journal %s: it was replayed already", j.path)
	}
	info, err := j.f.Stat()
	if err != nil {
		return nil, fmt.Errorf("replay journal %s: %w", j.path, err)
	}
	r := replay{j: j, size: info.Size(), offset: fileHeaderSize, record: 1}
	r.in = bufio.NewReaderSize(io.NewSectionReader(j.f, r.offset, r.size-r.offset), 256<<10)
	reason, err := r.run(each)
	if err != nil {
		var damage *DamageError
		if errors.As(err, &damage) {
			return nil, err
		}
		return nil, fmt.Errorf("replay journal %s: record %d, at byte %d: %w", j.path, r.record, r.offset, err)
	}
	dropped := j.torn
	if reason != "" {
		dropped = &Dropped{Record: r.record, Offset: r.offset, Bytes: r.size - r.offset, Reason: reason}
		if err := j.f.Truncate(r.offset); err != nil {
			return nil, fmt.Errorf("replay journal %s: cut off the interrupted write at byte %d: %w", j.path, r.offset, err)
		}
	}
	// The records read may have come from memory that no disk has seen yet, and
	// from here on records vouch for them.
	if err := j.f.Sync(); err != nil {
		return nil, fmt.Errorf("replay journal %s: %w", j.path, err)
	}
	j.durable, j.end, j.records, j.replayed = r.offset, r.offset, r.record-1, true
	return dropped, nil
}

// replay is one reading of the file.
type replay struct {
	j      *Journal
	in     *bufio.Reader
	size   int64
	offset int64 // of the record that is read next
	record int   // its number, from 1
}

// run reads records to the end of the file. A reason says why what is at offset
// is the rest of an interrupted write.
func (r *replay) run(each func([]byte) error) (reason string, err error) {
	head := make([]byte, recordHeaderSize)
	for ; r.offset < r.size; r.record++ {
		if left := r.size - r.offset; left < recordHeaderSize {
			return fmt.Sprintf("its header has %d of %d bytes", left, recordHeaderSize), nil
		}
		if _, err := io.ReadFull(r.in, head); err != nil {
			return "", err
		}
		h, ok := parseRecordHeader(head, &r.j.salt, r.offset)
		if !ok {
			return r.judge("its header does not match its checksum")
		}
		end := h.end(r.offset)
		if end > r.size {
			return r.judge(fmt.Sprintf("it has %d of %d bytes", r.size-r.offset, end-r.offset))
		}
		payload := make([]byte, h.length)
		if _, err := io.ReadFull(r.in, payload); err != nil {
			return "", err
		}
		if crc32.Checksum(payload, castagnoli) != h.sum {
			const reason = "its payload does not match its checksum"
			if h.synced && end < r.size {
				return "", r.damage(reason)
			}
			return r.judge(reason)
		}
		if err := each(payload); err != nil {
			return "", err
		}
		r.offset = end
	}
	return "", nil
}

func (r *replay) damage(reason string) error {
	return &DamageError{Path: r.j.path, Record: r.record, Offset: r.offset, Reason: reason}
}

// judge says what an unreadable record at offset is: damaged if the header of a
// later one vouches for that part of the file, else an interrupted write.
func (r *replay) judge(reason string) (string, error) {
	const step = 256 << 10
	buf := make([]byte, min(step+recordHeaderSize-1, r.size-r.offset))
	for from := r.offset + 1; r.size-from >= recordHeaderSize; from += step {
		part := buf[:min(int64(len(buf)), r.size-from)]
		if _, err := r.j.f.ReadAt(part, from); err != nil && err != io.EOF {
			return "", err
		}
		// Headers that begin within step bytes; the rest is their remainder.
		for i := 0; ; i++ {
			at := bytes.Index(part[i:], marker[:])
			if at < 0 {
				break
			}
			i += at
			if i >= step || len(part)-i < recordHeaderSize {
				break
			}
			if h, ok := parseRecordHeader(part[i:], &r.j.salt, from+int64(i)); ok && h.durable > r.offset {
				return "", r.damage(fmt.Sprintf("%s, and a whole record begins after it, at byte %d", reason, from+int64(i)))
			}
		}
	}
	return reason, nil
}
