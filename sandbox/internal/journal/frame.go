package journal

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The file begins with
//
//	magic     8 bytes
//	version   4 bytes
//	salt      8 bytes, random
//	checksum  4 bytes, of the above
//
// and then has records, end to end, each of
//
//	marker    3 bytes
//	flags     1 byte: flagSynced
//	length    4 bytes, of the payload
//	durable   8 bytes: the file was on disk up to there before this was written
//	payload's checksum  4 bytes
//	header's checksum   4 bytes, of the salt, the record's offset, and the above
//	payload
//
// Integers are big-endian, checksums are CRC-32C. With salt and offset in it, a
// header is valid in one file and at one place alone: no payload can hold what
// looks like a record, not even one that somebody chose.
const (
	version          = 1
	saltSize         = 8
	fileHeaderSize   = 8 + 4 + saltSize + 4
	recordHeaderSize = 24

	// flagSynced: nothing is written behind this record before it is on disk.
	flagSynced = 1
)

var (
	magic      = [8]byte{'X', 'R', 'P', 'L', 'J', 'N', 'L', '\n'}
	marker     = [3]byte{0xC5, 'R', 0x1E}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	errIncompleteHeader = errors.New("the file's header is incomplete")
	errDamagedHeader    = fmt.Errorf("the file's header (its first %d bytes) is damaged; restore the file from a copy, or move it away to begin anew", fileHeaderSize)
)

func newFileHeader() (head []byte, salt [saltSize]byte) {
	rand.Read(salt[:]) // never fails
	head = append(head, magic[:]...)
	head = binary.BigEndian.AppendUint32(head, version)
	head = append(head, salt[:]...)
	return binary.BigEndian.AppendUint32(head, crc32.Checksum(head, castagnoli)), salt
}

// parseFileHeader returns errIncompleteHeader for what the interrupted creation
// of a journal can leave, which is also an empty file, and never for anything
// else.
func parseFileHeader(head []byte) (salt [saltSize]byte, err error) {
	n := min(len(head), len(magic))
	if len(bytes.Trim(head, "\x00")) == 0 || len(head) < fileHeaderSize && bytes.Equal(head[:n], magic[:n]) {
		return salt, errIncompleteHeader
	}
	if !bytes.Equal(head[:n], magic[:]) {
		return salt, errors.New("the file is not a journal; choose another path, nothing was changed in it")
	}
	body, sum := head[:fileHeaderSize-4], head[fileHeaderSize-4:]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(sum) {
		return salt, errDamagedHeader
	}
	if v := binary.BigEndian.Uint32(head[len(magic):]); v != version {
		return salt, fmt.Errorf("the file has format version %d and this program reads version %d; use the program that wrote it, or move the file away", v, version)
	}
	copy(salt[:], head[len(magic)+4:])
	return salt, nil
}

type recordHeader struct {
	synced  bool
	length  int64
	durable int64
	sum     uint32
}

// end is where the record that begins at offset ends.
func (h *recordHeader) end(offset int64) int64 { return offset + recordHeaderSize + h.length }

func headerSum(salt *[saltSize]byte, offset int64, head []byte) uint32 {
	var place [saltSize + 8]byte
	copy(place[:], salt[:])
	binary.BigEndian.PutUint64(place[saltSize:], uint64(offset))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, head)
}

// appendRecord appends the record that goes to offset.
func appendRecord(dst []byte, salt *[saltSize]byte, offset, durable int64, synced bool, payload []byte) []byte {
	start := len(dst)
	var flags byte
	if synced {
		flags = flagSynced
	}
	dst = append(dst, marker[0], marker[1], marker[2], flags)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	dst = binary.BigEndian.AppendUint64(dst, uint64(durable))
	dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(payload, castagnoli))
	dst = binary.BigEndian.AppendUint32(dst, headerSum(salt, offset, dst[start:]))
	return append(dst, payload...)
}

// parseRecordHeader reads the first recordHeaderSize bytes of the record at
// offset, and says whether they are that record's header.
func parseRecordHeader(head []byte, salt *[saltSize]byte, offset int64) (h recordHeader, ok bool) {
	if !bytes.Equal(head[:len(marker)], marker[:]) {
		return h, false
	}
	body, sum := head[:recordHeaderSize-4], head[recordHeaderSize-4:recordHeaderSize]
	if headerSum(salt, offset, body) != binary.BigEndian.Uint32(sum) {
		return h, false
	}
	h = recordHeader{
		synced:  head[3]&flagSynced != 0,
		length:  int64(binary.BigEndian.Uint32(head[4:])),
		durable: int64(binary.BigEndian.Uint64(head[8:])),
		sum:     binary.BigEndian.Uint32(head[16:]),
	}
	return h, h.length <= MaxPayload && h.durable >= 0 && h.durable <= offset
}
