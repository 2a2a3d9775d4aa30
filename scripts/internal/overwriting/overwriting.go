// Package overwriting is a COS that takes every write, whether or not it may overwrite: what the programs have to
// recognise that look at a bucket before it is relied on. It is for tests only.
package overwriting

import (
	"io"
	"net/http"
	"strconv"

	"chatexport/internal/archive"
)

// Wrap is world.Options.Wrap. Every PUT succeeds, and changes nothing that is read afterwards.
func Wrap(service string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if service != "cos" || r.Method != http.MethodPut {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		w.Header().Set("x-cos-hash-crc64ecma", strconv.FormatUint(archive.CRC64(body), 10))
		w.Header().Set("ETag", `"0"`)
	})
}
