package objstore

import (
	"errors"
	"fmt"
	"hash"
	"io"
)

// Verified returns a reader of an object's bytes that ends with io.EOF only if they are those that object tells of, else
// with an error that matches ErrCorrupt. Every error but io.EOF goes through fail, which says what was read.
func Verified(bytes io.ReadCloser, object Object, fail func(error) error) io.ReadCloser {
	return &verified{ReadCloser: bytes, object: object, crc: NewCRC64(), fail: fail}
}

type verified struct {
	io.ReadCloser

	object Object
	crc    hash.Hash64
	read   int64
	fail   func(error) error
}

// Read implements io.Reader.
func (v *verified) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	_, _ = v.crc.Write(p[:n]) // never fails
	v.read += int64(n)
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		return n, v.fail(err)
	case v.read != v.object.Size || v.crc.Sum64() != v.object.CRC64:
		return n, v.fail(fmt.Errorf("%w: the object's bytes are not those that were written", ErrCorrupt))
	}
	return n, io.EOF
}
