package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrSpec is wrapped by the error for a sweep's task that cannot be understood: the same task never can.
var ErrSpec = errors.New("sweep cannot be understood")

// community is the type of groups that may have topics.
const community = "Community"

// defaultMaxAge is how long a stream waits for min_new messages where the task says nothing.
const defaultMaxAge = 24 * time.Hour

// Spec is what a task asks a sweep for. Its JSON is the value of the task's member "sweep".
type Spec struct {
	Types   []string `json:"types,omitempty"`   // only groups of these types; all if empty
	Include []string `json:"include,omitempty"` // globs on group ids (* and ?): only these; all if empty
	Exclude []string `json:"exclude,omitempty"` // globs on group ids: not these
	// MinNew and MaxAge let a stream wait until it has so many new messages, or until the oldest of them is so old,
	// whichever comes first; never beyond half of the retention.
	MinNew int64    `json:"min_new,omitempty"`
	MaxAge Duration `json:"max_age,omitzero"`
}

// Duration is a time.Duration that is written as "90m", "6h" or "2d".
type Duration time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return fmt.Errorf("%w: max_age is not a text such as \"6h\"", ErrSpec)
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= math.MaxInt16 {
			*d = Duration(time.Duration(n) * 24 * time.Hour)
			return nil
		}
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%w: max_age is not a duration such as \"6h\" or \"2d\"", ErrSpec)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// ParseSpec reads the JSON object of a task's member "sweep". Unknown members are refused: a filter that is misspelt
// must not sweep what it should have kept out. The error wraps ErrSpec, and of the JSON it repeats at most what looks like
// a member's name.
func ParseSpec(raw []byte) (Spec, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return Spec{}, fmt.Errorf("%w: not a JSON object", ErrSpec)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains([]string{"types", "include", "exclude", "min_new", "max_age"}, name) { // encoding/json would take any case
			return Spec{}, fmt.Errorf("%w: it has an unknown member%s", ErrSpec, quoted(name))
		}
	}
	var s Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = fmt.Errorf("%w: %s is not of type %s", ErrSpec, wrong.Field, wrong.Type)
		}
		return Spec{}, err // of Duration, or above
	}
	for i, kind := range s.Types {
		listed, ok := listType(kind)
		if !ok {
			return Spec{}, fmt.Errorf("%w: types[%d] is no type of groups; there are Public, Private (Work), ChatRoom (Meeting), Community, AVChatRoom and BChatRoom", ErrSpec, i)
		}
		s.Types[i] = listed
	}
	slices.Sort(s.Types)
	s.Types = slices.Compact(s.Types)
	if s.MinNew < 0 || s.MaxAge < 0 {
		return Spec{}, fmt.Errorf("%w: min_new and max_age are not negative", ErrSpec)
	}
	return s, nil
}

// quoted is a name as an error tells it: anything may stand where a name should.
func quoted(name string) string {
	const most = 20
	if name == "" || len(name) > most || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ", whose name is not like one"
	}
	return fmt.Sprintf(" %q", name)
}

// listType returns the name that the list's filter has for a type: some types have a new name, too.
func listType(kind string) (string, bool) {
	switch kind {
	case "Public", "Private", "ChatRoom", "Community", "AVChatRoom", "BChatRoom":
		return kind, true
	case "Work":
		return "Private", true
	case "Meeting":
		return "ChatRoom", true
	default:
		return kind, false
	}
}

// hasHistory reports whether the service stores messages of groups of this type (Chat documentation, 1047/34971). Types
// that are new to us are tried.
func hasHistory(kind string) bool { return kind != "AVChatRoom" && kind != "BChatRoom" }

// lists returns the types for which the list is asked one after the other; the empty one asks for all.
func (s Spec) lists() []string {
	if len(s.Types) == 0 {
		return []string{""}
	}
	return s.Types
}

// wants reports whether the globs let a group in.
func (s Spec) wants(id string) bool {
	match := func(pattern string) bool { return glob(pattern, id) }
	return (len(s.Include) == 0 || slices.ContainsFunc(s.Include, match)) && !slices.ContainsFunc(s.Exclude, match)
}

// covers reports whether a sweep exports at once all that another would.
func (s Spec) covers(other Spec) bool {
	within := func(wide, narrow []string) bool { // every id that narrow lets in, wide does
		return !slices.ContainsFunc(narrow, func(n string) bool {
			return !slices.ContainsFunc(wide, func(w string) bool { return w == n || !strings.Contains(w, "?") && glob(w, n) })
		})
	}
	return (s.MinNew == 0 && s.MaxAge == 0 || s.MinNew == other.MinNew && s.MaxAge == other.MaxAge) &&
		(len(s.Types) == 0 || len(other.Types) > 0 && !slices.ContainsFunc(other.Types, func(kind string) bool { return !slices.Contains(s.Types, kind) })) &&
		(len(s.Include) == 0 || len(other.Include) > 0 && within(s.Include, other.Include)) &&
		within(other.Exclude, s.Exclude)
}

// listsType reports whether a group of a type would be listed. A type that is not known might be.
func (s Spec) listsType(kind string) bool {
	listed, _ := listType(kind)
	return kind == "" || len(s.Types) == 0 || slices.Contains(s.Types, listed)
}

// patience returns how many new messages a stream may wait for and how long; 0 and 0 if streams do not wait.
func (s Spec) patience() (int64, time.Duration) {
	switch {
	case s.MinNew == 0 && s.MaxAge == 0:
		return 0, 0
	case s.MinNew == 0:
		return math.MaxInt64, time.Duration(s.MaxAge)
	case s.MaxAge == 0:
		return s.MinNew, defaultMaxAge
	default:
		return s.MinNew, time.Duration(s.MaxAge)
	}
}

// glob matches * (any text) and ? (any one byte); there is nothing else to escape in an id.
func glob(pattern, text string) bool {
	star, mark := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
