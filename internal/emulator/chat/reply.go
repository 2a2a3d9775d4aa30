package chatemu

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"

	"chatexport/internal/chat"
)

// reply is an answer before it becomes JSON.
type reply struct {
	code    int
	members []member // beside ActionStatus, ErrorInfo and ErrorCode
	found   int      // messages in it
}

func refuse(code int) reply { return reply{code: code} }

// member is one member of a JSON object whose order is kept.
type member struct {
	key   string
	value []byte // JSON
}

func text(key, value string) member { return member{key, quote(value)} }

func number[T ~int | ~int64 | ~uint64](key string, value T) member {
	return member{key, strconv.AppendInt(nil, int64(value), 10)}
}

// quote returns a JSON string with <, > and & left as they are, as the service sends them.
func quote(s string) []byte {
	if plainASCII(s) {
		return slices.Concat([]byte{'"'}, []byte(s), []byte{'"'})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always encodes
		return []byte(`""`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// plainASCII reports whether nothing in a string needs an escape.
func plainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func object(members []member) []byte {
	size := 2
	for _, m := range members {
		size += len(m.key) + len(m.value) + 4
	}
	b := make([]byte, 0, size)
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quote(m.key)...)
		b = append(b, ':')
		b = append(b, m.value...)
	}
	return append(b, '}')
}

func array(values [][]byte) []byte {
	b := append([]byte{'['}, bytes.Join(values, []byte{','})...)
	return append(b, ']')
}

// objectMembers returns the members of a JSON object by their exact names, nil for anything that is not one.
func objectMembers(body []byte) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil {
		return nil
	}
	return m
}

// splitObject takes a JSON object apart and keeps order and bytes of its members; false if it is not one.
func splitObject(raw []byte) ([]member, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var members []member
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, false
		}
		name, ok := key.(string)
		var value json.RawMessage
		if !ok || dec.Decode(&value) != nil {
			return nil, false
		}
		members = append(members, member{name, value})
	}
	return members, true
}

// mixed is a number that depends on n alone and looks random (splitmix64).
func mixed(n uint64) uint64 {
	n += 0x9E3779B97F4A7C15
	n = (n ^ n>>30) * 0xBF58476D1CE4E5B9
	n = (n ^ n>>27) * 0x94D049BB133111EB
	return n ^ n>>31
}

func shuffle[T any](values []T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
}

// encode makes the body of an answer and notes it in the call.
func (s *Server) encode(x *exchange, r reply) []byte {
	body := x.body(r)
	if len(body) > s.opts.MaxAnswer {
		r = refuse(codeTooLarge)
		body = x.body(r)
	}
	x.call.Code, x.call.Found = r.code, r.found
	return cutBody(body)
}

func (x *exchange) body(r reply) []byte {
	action := "OK"
	if r.code != 0 {
		action = "FAIL"
	}
	members := []member{text("ActionStatus", action), text("ErrorInfo", ErrorText(r.code)), number("ErrorCode", r.code)}
	members = append(members, r.members...)
	if x.quirks.ShuffleKeys {
		shuffle(members, mixed(uint64(x.call.N)))
	}
	body := object(members)
	if every(x.quirks.PrettyEvery, uint64(x.call.N)) {
		var b bytes.Buffer
		if json.Indent(&b, body, "", "\t") == nil {
			return b.Bytes()
		}
	}
	return body
}

// every reports whether n is one of every k; never for k 0.
func every(k int, n uint64) bool { return k > 0 && n%uint64(k) == 0 }

// readString returns a string member; ok is false when it is there but not a string.
func readString(members map[string]json.RawMessage, key string) (value string, ok bool) {
	raw, present := members[key]
	if !present {
		return "", true
	}
	return value, len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &value) == nil
}

// readInteger returns an integer member; ok is false when it is there but not an integer of 64 bits.
func readInteger(members map[string]json.RawMessage, key string) (value int64, present, ok bool) {
	raw, present := members[key]
	if !present {
		return 0, false, true
	}
	value, err := strconv.ParseInt(string(raw), 10, 64)
	return value, true, err == nil
}

// readQuery reads what a call asks for, as far as it can be read.
func readQuery(members map[string]json.RawMessage) Query {
	var q Query
	group, _ := readString(members, "GroupId")
	topic, _ := readString(members, "TopicId")
	q.Stream = chat.Stream{GroupID: group, TopicID: topic}
	seq, present, _ := readInteger(members, "ReqMsgSeq")
	q.Seq, q.HasSeq = chat.Seq(seq), present
	n, _, _ := readInteger(members, "ReqMsgNumber")
	q.Number = int(n)
	recalled, _, _ := readInteger(members, "WithRecalledMsg")
	q.WithRecalled = recalled == 1
	return q
}
