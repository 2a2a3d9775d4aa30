package layout

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"chatexport/internal/chat"
)

// ErrForeign means that a key is none that this package builds.
var ErrForeign = errors.New("not a key of an archive")

// Kind says what is stored under a key.
type Kind uint8

// The kinds of objects, see the functions of the same names.
const (
	KindChunk Kind = iota + 1
	KindGenesis
	KindManifest
	KindMedia
	KindChange
	KindBlob
	KindState
	KindSweep // anything below SweepPrefix; its owner names it
	KindRejected
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case KindChunk:
		return "chunk"
	case KindGenesis:
		return "genesis"
	case KindManifest:
		return "manifest"
	case KindMedia:
		return "media"
	case KindChange:
		return "change"
	case KindBlob:
		return "blob"
	case KindState:
		return "state"
	case KindSweep:
		return "sweep"
	case KindRejected:
		return "rejected"
	default:
		return "kind " + strconv.Itoa(int(k))
	}
}

// Name is a parsed key. Which fields are set depends on Kind.
type Name struct {
	Kind   Kind
	Stream chat.Stream // chunk, genesis, manifest, media, change, state
	Lo     chat.Seq    // chunk, manifest, media, change

	SHA256 string // blob: 64 lower-case hex digits

	Date      time.Time // rejected: midnight UTC
	RequestID string    // rejected
	N         int       // rejected

	Rest string // sweep: what follows SweepPrefix
}

// Key builds the key again.
func (n Name) Key() string {
	switch n.Kind {
	case KindChunk:
		return Chunk(n.Stream, n.Lo)
	case KindGenesis:
		return Genesis(n.Stream)
	case KindManifest:
		return Manifest(n.Stream, n.Lo)
	case KindMedia:
		return Media(n.Stream, n.Lo)
	case KindChange:
		return Change(n.Stream, n.Lo)
	case KindBlob:
		return Blob(n.SHA256)
	case KindState:
		return State(n.Stream)
	case KindSweep:
		return SweepPrefix + n.Rest
	case KindRejected:
		return Rejected(n.Date, n.RequestID, n.N)
	default:
		return ""
	}
}

// Parse is the strict inverse of the functions that build keys: what it accepts is exactly what they return for a valid
// stream and a seq in [1, 4294967295], so Parse(key) without error means Name.Key() == key. Below SweepPrefix it accepts any path
// without empty, "." or ".." segments. The error wraps ErrForeign.
func Parse(key string) (Name, error) {
	name, ok := parse(key)
	// Building the key again is what makes the inverse strict: it refuses escapes that escape would not write.
	if !ok || name.Key() != key {
		return Name{}, fmt.Errorf("%w: %q", ErrForeign, key)
	}
	return name, nil
}

func parse(key string) (Name, bool) {
	if rest, ok := strings.CutPrefix(key, SweepPrefix); ok {
		return Name{Kind: KindSweep, Rest: rest}, cleanPath(rest)
	}
	if rest, ok := strings.CutPrefix(key, RejectedPrefix); ok {
		return parseRejected(rest)
	}
	if rest, ok := strings.CutPrefix(key, BlobPrefix); ok {
		_, sum, _ := strings.Cut(rest, "/")
		return Name{Kind: KindBlob, SHA256: sum}, len(sum) == sha256Digits && strings.Trim(sum, lowerHexDigits) == ""
	}
	root, rest, _ := strings.Cut(key, "/")
	parts := strings.Split(rest, "/")
	if len(parts) != 3 {
		return Name{}, false
	}
	stream, ok := parseStream(parts[0], parts[1])
	if !ok {
		return Name{}, false
	}
	name := Name{Stream: stream}
	file := parts[2]
	switch root + "/" {
	case DataPrefix:
		name.Kind = KindChunk
		name.Lo, ok = parseLo(file, linesSuffix)
	case MediaPrefixRoot:
		name.Kind = KindMedia
		name.Lo, ok = parseLo(file, linesSuffix)
	case ChangePrefixRoot:
		name.Kind = KindChange
		name.Lo, ok = parseLo(file, linesSuffix)
	case ManifestPrefixRoot:
		if file == genesisName {
			name.Kind = KindGenesis
			break
		}
		name.Kind = KindManifest
		name.Lo, ok = parseLo(file, jsonSuffix)
	case StatePrefix:
		name.Kind = KindState
		ok = file == stateName
	default:
		ok = false
	}
	return name, ok
}

func parseStream(gid, tid string) (chat.Stream, bool) {
	gid, ok1 := strings.CutPrefix(gid, "gid=")
	tid, ok2 := strings.CutPrefix(tid, "tid=")
	if !ok1 || !ok2 || tid == "" {
		return chat.Stream{}, false
	}
	if tid == "-" {
		tid = ""
	}
	var s chat.Stream
	s.GroupID, ok1 = unescape(gid)
	s.TopicID, ok2 = unescape(tid)
	return s, ok1 && ok2 && s.Validate() == nil
}

func parseLo(file, suffix string) (chat.Seq, bool) {
	text, ok := strings.CutSuffix(file, suffix)
	if !ok || len(text) != seqDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return chat.Seq(n), err == nil && n >= 1
}

func parseRejected(rest string) (Name, bool) {
	date, file, _ := strings.Cut(rest, "/")
	day, err := time.Parse(dateForm, date)
	file, ok := strings.CutSuffix(file, jsonSuffix)
	dash := strings.LastIndexByte(file, '-')
	if err != nil || !ok || dash < 0 {
		return Name{}, false
	}
	id, ok := unescape(file[:dash])
	n, err := strconv.Atoi(file[dash+1:])
	return Name{Kind: KindRejected, Date: day, RequestID: id, N: n}, ok && err == nil && n >= 0
}

// unescape undoes escape. It need not refuse escapes that escape would not write: Parse compares the rebuilt key.
func unescape(text string) (string, bool) {
	if !strings.Contains(text, ".") {
		return text, true
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '.' {
			out = append(out, text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", false
		}
		c, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		out = append(out, byte(c))
		i += 2
	}
	return string(out), true
}

func cleanPath(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
