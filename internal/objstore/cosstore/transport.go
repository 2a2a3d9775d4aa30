package cosstore

import (
	"math"
	"net/http"
	"strings"
)

const (
	idleConns = 16 // as many as a batch has requests in flight, and more
	// maxError is far above an error of COS, which repeats the request's string to sign at most.
	maxError = 64 << 10
	// maxPage is above a page of a listing: 1,000 keys of 850 bytes, each escaped to at most 3, and 500 bytes beside.
	maxPage = 4 << 20
)

// limit is how much of an answer is read. An object is read by Get, which knows its kind.
func limit(response *http.Response) int64 {
	switch request := response.Request; {
	case response.StatusCode/100 != http.StatusOK/100:
		return maxError
	case request.Method == http.MethodGet && strings.Trim(request.URL.Path, "/") != "":
		return math.MaxInt64
	default:
		return maxPage
	}
}
