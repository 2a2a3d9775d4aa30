package objstore

import (
	"fmt"
	"hash"
	"hash/crc64"
	"strings"
	"unicode/utf8"
)

// Limits of COS, which every store keeps, so that any archive can move into a bucket.
const (
	maxKeyBytes      = 850
	maxMetadataBytes = 2 << 10
)

// CRC64 is the checksum that COS keeps of every object: CRC-64/ECMA. The standard library makes the table once.
func CRC64(body []byte) uint64 { return crc64.Checksum(body, crc64.MakeTable(crc64.ECMA)) }

// NewCRC64 begins the checksum of what comes piece by piece.
func NewCRC64() hash.Hash64 { return crc64.New(crc64.MakeTable(crc64.ECMA)) }

// CheckKey accepts what every store holds. The error matches ErrInvalid.
func CheckKey(key string) error {
	if key == "" || len(key) > maxKeyBytes || !utf8.ValidString(key) {
		return fmt.Errorf("%w: the key is empty, longer than %d bytes or not UTF-8", ErrInvalid, maxKeyBytes)
	}
	return nil
}

// CheckMetadata accepts what comes back as it was sent. The error matches ErrInvalid.
func CheckMetadata(md map[string]string) error {
	total := 0
	for name, value := range md {
		total += len(name) + len(value)
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("%w: metadata name %q must be of a-z, 0-9 and -", ErrInvalid, name)
		}
		odd := strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
		if odd || strings.TrimSpace(value) != value {
			return fmt.Errorf("%w: the value of metadata %s must be printable ASCII without outer spaces", ErrInvalid, name)
		}
	}
	if total > maxMetadataBytes {
		return fmt.Errorf("%w: metadata is longer than %d bytes", ErrInvalid, maxMetadataBytes)
	}
	return nil
}
