// Package layout builds and parses the object keys of an archive.
//
// It owns every key below the archive's prefix, and the escaping that makes any id safe inside one. It is pure: it must
// never do I/O, know the prefix or the bucket, or decide what is stored under a key.
package layout

import (
	"fmt"
	"strconv"
	"time"

	"chatexport/internal/chat"
)

// The first segments of all keys. Nothing else stands below an archive's prefix.
const (
	// DataPrefix holds chunks and nothing else, so that readers of NDJSON can take all of it by a glob.
	DataPrefix = "data/"
	// ManifestPrefixRoot holds genesis objects and manifests.
	ManifestPrefixRoot = "manifest/"
	// MediaPrefixRoot and ChangePrefixRoot hold the receipts of the trails.
	MediaPrefixRoot  = "media/"
	ChangePrefixRoot = "change/"
	// BlobPrefix holds the bytes of files, named by what they are: those of all streams.
	BlobPrefix = "blob/"
	// StatePrefix holds one state per stream and, below SweepPrefix, what sweeps leave.
	StatePrefix = "state/"
	// SweepPrefix holds plans, results and reports of sweeps.
	SweepPrefix = "state/sweep/"
	// ProbePrefix holds what an operator's checks leave.
	ProbePrefix = SweepPrefix + "doctor/"
	// RejectedPrefix holds events that could not be understood.
	RejectedPrefix = "rejected/"
)

const (
	linesSuffix    = ".ndjson.gz"
	jsonSuffix     = ".json"
	genesisName    = "genesis.json"
	stateName      = "state.json"
	dateForm       = "2006-01-02"
	seqDigits      = 10 // enough for 4294967296, the frontier behind the last possible message
	sha256Digits   = 64
	maxRequestID   = 128
	lowerHexDigits = "0123456789abcdef"
)

// Chunk returns the key of the chunk whose first seq is lo. It also names the chunk that cannot exist behind the last
// possible seq (lo 4294967296), so that a frontier there can be looked up like any other; Parse refuses that key.
func Chunk(s chat.Stream, lo chat.Seq) string { return ChunkPrefix(s) + digits(lo) + linesSuffix }

// Genesis returns the key of the stream's genesis.
func Genesis(s chat.Stream) string { return ManifestPrefix(s) + genesisName }

// Manifest returns the key of the manifest whose first seq is lo.
func Manifest(s chat.Stream, lo chat.Seq) string { return ManifestPrefix(s) + digits(lo) + jsonSuffix }

// Media returns the key of the receipt for links whose first seq is lo. Like Chunk it names the one behind the last seq, too.
func Media(s chat.Stream, lo chat.Seq) string { return MediaPrefix(s) + digits(lo) + linesSuffix }

// Change returns the key of the receipt of a look whose first seq is lo. Like Chunk it names the one behind the last seq, too.
func Change(s chat.Stream, lo chat.Seq) string { return ChangePrefix(s) + digits(lo) + linesSuffix }

// Blob returns the key of a file's bytes. sha256 is their sum in 64 lower-case hex digits; of anything else it makes a key
// that Parse refuses.
func Blob(sha256 string) string { return BlobPrefix + sha256[:min(2, len(sha256))] + "/" + sha256 }

// State returns the key of the stream's state.
func State(s chat.Stream) string { return StatePrefix + streamPath(s) + stateName }

// Rejected returns the key of the n-th (from 0) event that the request could not understand. The date is taken in UTC.
// Of an absurdly long request id the first 128 bytes are used.
func Rejected(date time.Time, requestID string, n int) string {
	requestID = requestID[:min(len(requestID), maxRequestID)]
	return RejectedPrefix + date.UTC().Format(dateForm) + "/" + escape(requestID) + "-" + strconv.Itoa(max(n, 0)) + jsonSuffix
}

// ChunkPrefix returns what the keys of all chunks of the stream begin with, and no other key does.
func ChunkPrefix(s chat.Stream) string { return DataPrefix + streamPath(s) }

// ManifestPrefix returns what the keys of the stream's genesis and manifests begin with, and no other key does.
func ManifestPrefix(s chat.Stream) string { return ManifestPrefixRoot + streamPath(s) }

// MediaPrefix returns what the keys of all receipts for the stream's links begin with, and no other key does.
func MediaPrefix(s chat.Stream) string { return MediaPrefixRoot + streamPath(s) }

// ChangePrefix returns what the keys of all receipts of looks at the stream begin with, and no other key does.
func ChangePrefix(s chat.Stream) string { return ChangePrefixRoot + streamPath(s) }

func streamPath(s chat.Stream) string {
	topic := "-"
	if s.TopicID != "" {
		topic = escape(s.TopicID)
	}
	return "gid=" + escape(s.GroupID) + "/tid=" + topic + "/"
}

func digits(lo chat.Seq) string { return fmt.Sprintf("%0*d", seqDigits, lo) }

// escape writes every byte outside [A-Za-z0-9_-] as '.' and two lower-case hex digits. The result has no '/' and no
// character that needs escaping in a URL, and "." can only be followed by hex digits: no id can leave its segment.
func escape(id string) string {
	n := 0
	for i := range len(id) {
		if !safe(id[i]) {
			n++
		}
	}
	if n == 0 {
		return id
	}
	out := make([]byte, 0, len(id)+2*n)
	for i := range len(id) {
		if c := id[i]; safe(c) {
			out = append(out, c)
		} else {
			out = append(out, '.', lowerHexDigits[c>>4], lowerHexDigits[c&0xf])
		}
	}
	return string(out)
}

func safe(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
