package chat

// Value is a JSON value inside an element that has been scanned before: its JSON is sound. It is read leniently: what is
// missing, or of another type than wanted, is the zero value. Nothing is decoded but what is asked for.
type Value []byte

// Value returns the element itself, for its members.
func (e *Element) Value() Value { return e.JSON }

// Member returns the value of an object's member, by its exact name; of a member that comes twice the last one counts.
func (v Value) Member(wanted string) Value {
	var found Value
	v.Members(func(name []byte, value Value) {
		if string(name) == wanted {
			found = value
		}
	})
	return found
}

// Members visits the members of an object, escapes in their names resolved.
func (v Value) Members(visit func(name []byte, value Value)) {
	if len(v) == 0 || v[0] != '{' {
		return
	}
	s := scanner{body: v}
	s.object(1, 1, func(name []byte, i, depth int) int {
		end := s.value(i, depth)
		if end >= 0 {
			visit(name, v[i:end:end])
		}
		return end
	})
}

// Each visits the values of a list, or the one object that stands in its place.
func (v Value) Each(visit func(n int, value Value)) {
	switch {
	case len(v) == 0:
	case v[0] == '{':
		visit(0, v)
	case v[0] == '[':
		s := scanner{body: v}
		for n, i := 0, s.space(1); s.at(i) != ']'; n++ {
			end := s.value(i, 1)
			if end < 0 {
				return
			}
			visit(n, v[i:end:end])
			if i = s.space(end); s.at(i) == ',' {
				i = s.space(i + 1)
			}
		}
	}
}

// IsObject reports whether the value is an object.
func (v Value) IsObject() bool { return len(v) > 0 && v[0] == '{' }

// IsNull reports whether the value is missing, or null.
func (v Value) IsNull() bool { return len(v) == 0 || v[0] == 'n' }

// Text returns the content of a string. Halves of surrogates become U+FFFD.
func (v Value) Text() string {
	if len(v) == 0 {
		return ""
	}
	text, _ := stringOf(v)
	return text
}

// Int returns an integer of at most 18 digits, or that of a string that is one.
func (v Value) Int() int64 {
	if len(v) == 0 {
		return 0
	}
	return intOf(v)
}
