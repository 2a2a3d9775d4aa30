package chatapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"chatexport/internal/chat"
)

// status is the envelope of every answer.
type status struct {
	action string // ActionStatus
	code   int    // ErrorCode
	info   string // ErrorInfo
}

// object is a JSON object whose member names are matched exactly: encoding/json's structs would take "groupid" for
// "GroupId". Numbers may come as numbers or as numeric strings, and a member that is absent or null counts as zero.
// The errors of its methods wrap chat.ErrMalformed and name members, never content.
type object map[string]json.RawMessage

func parseObject(raw []byte) (object, error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil || o == nil {
		return nil, fmt.Errorf("%w: not a JSON object (%d bytes)", chat.ErrMalformed, len(raw))
	}
	return o, nil
}

// literal returns a member's JSON, nil if it is absent or null.
func (o object) literal(name string) []byte {
	raw := bytes.TrimSpace(o[name])
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// text returns a string member, empty if it is absent or something else.
func (o object) text(name string) string {
	var text string
	if raw := o.literal(name); len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return text
	}
	return ""
}

// digits returns a number's digits, quoted or not, and "0" if the member is absent, null or "".
func (o object) digits(name string) string {
	raw := o.literal(name)
	if len(raw) >= 2 && raw[0] == '"' {
		raw = raw[1 : len(raw)-1]
	}
	if len(raw) == 0 {
		return "0"
	}
	return string(raw)
}

func (o object) integer(name string) (int, error) {
	n, err := strconv.Atoi(o.digits(name))
	if err != nil {
		return 0, fmt.Errorf("%w: %s is not an integer", chat.ErrMalformed, name)
	}
	return n, nil
}

// natural reads a number from 0 to most into value: a time, a count or a seq.
func natural[T ~int64 | ~uint64](o object, name string, most T, value *T) error {
	n, err := strconv.ParseUint(o.digits(name), 10, 64)
	if err != nil || n > uint64(most) {
		return fmt.Errorf("%w: %s is not an integer from 0 to %d", chat.ErrMalformed, name, most)
	}
	*value = T(n)
	return nil
}

// facts reads what groups and topics have in common.
func (o object) facts(into *chat.Facts) error {
	return cmp.Or(
		natural(o, "CreateTime", math.MaxInt64, &into.CreateTime),
		natural(o, "LastMsgTime", math.MaxInt64, &into.LastTime),
		natural(o, "NextMsgSeq", chat.MaxSeq+1, &into.NextSeq), // one more than the newest seq
	)
}

// denied reports whether a member is there, and 0 or false.
func (o object) denied(name string) bool {
	digits := o.digits(name)
	return len(o.literal(name)) > 0 && (digits == "0" || digits == "false")
}

// member returns an object member; an absent one is empty.
func (o object) member(name string) (object, error) {
	raw := o.literal(name)
	if raw == nil {
		return object{}, nil
	}
	inner, err := parseObject(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return inner, nil
}

// list returns an array of objects; an absent one is empty.
func (o object) list(name string) ([]object, error) {
	raw := o.literal(name)
	if raw == nil {
		return nil, nil
	}
	var list []object
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%w: %s is not an array of objects", chat.ErrMalformed, name)
	}
	for i, item := range list {
		if item == nil {
			return nil, fmt.Errorf("%w: %s[%d] is null", chat.ErrMalformed, name, i)
		}
	}
	return list, nil
}

// status reads the envelope.
func (o object) status() (status, error) {
	number, err := o.integer("ErrorCode")
	if err != nil {
		return status{}, err
	}
	return status{action: o.text("ActionStatus"), code: number, info: o.text("ErrorInfo")}, nil
}
