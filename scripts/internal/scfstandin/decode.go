package scfstandin

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// request is what both forms of a request have.
type request struct {
	action, version, region string
	params                  map[string]any
}

// decode reads a request in either form of the cloud API: JSON with a TC3 signature, as the SDKs send it, or a form with
// a signature of version 1, as the component sends it.
func decode(r *http.Request, body []byte) (request, error) {
	if r.Method != http.MethodPost {
		return request{}, refuse("UnsupportedProtocol", "method %s", r.Method)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if len(body) > maxFormBytes {
			return request{}, refuse("RequestSizeLimitExceeded", "%d bytes with a signature of version 1", len(body))
		}
		return decodeForm(body)
	}
	q := request{
		action: r.Header.Get("X-TC-Action"), version: r.Header.Get("X-TC-Version"), region: r.Header.Get("X-TC-Region"),
		params: make(map[string]any),
	}
	authorization := r.Header.Get("Authorization")
	if !strings.HasPrefix(authorization, "TC3-HMAC-SHA256 Credential=") || !strings.Contains(authorization, "/scf/tc3_request") {
		return q, refuse("AuthFailure.InvalidAuthorization", "not signed for scf with TC3-HMAC-SHA256")
	}
	if err := json.Unmarshal(body, &q.params); err != nil {
		return q, refuse("InvalidParameter", "the body is not a JSON object")
	}
	return q, nil
}

func decodeForm(body []byte) (request, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return request{}, refuse("InvalidParameter", "the body is not a form")
	}
	q := request{action: values.Get("Action"), version: values.Get("Version"), region: values.Get("Region")}
	for _, name := range []string{"SecretId", "Signature", "Timestamp", "Nonce"} {
		if values.Get(name) == "" {
			return q, refuse("AuthFailure.InvalidAuthorization", "%s is missing", name)
		}
	}
	for _, name := range []string{
		"Action", "Version", "Region", "SecretId", "Signature", "SignatureMethod", "Timestamp", "Nonce", "Token", "RequestClient",
	} {
		values.Del(name)
	}
	tree := make(map[string]any)
	for name := range values {
		insert(tree, strings.Split(name, "."), values.Get(name))
	}
	q.params, _ = lists(tree).(map[string]any)
	if q.params == nil {
		q.params = make(map[string]any)
	}
	return q, nil
}

// insert puts a value under its path: Environment.Variables.0.Key.
func insert(tree map[string]any, path []string, value string) {
	for _, name := range path[:len(path)-1] {
		next, ok := tree[name].(map[string]any)
		if !ok {
			next = make(map[string]any)
			tree[name] = next
		}
		tree = next
	}
	tree[path[len(path)-1]] = value
}

// lists turns objects whose members are 0, 1, 2... into lists.
func lists(v any) any {
	tree, ok := v.(map[string]any)
	if !ok {
		return v
	}
	keys := make([]int, 0, len(tree))
	for name, member := range tree {
		tree[name] = lists(member)
		if n, err := strconv.Atoi(name); err == nil {
			keys = append(keys, n)
		}
	}
	if len(keys) == 0 || len(keys) != len(tree) {
		return tree
	}
	slices.Sort(keys)
	list := make([]any, 0, len(keys))
	for _, n := range keys {
		list = append(list, tree[strconv.Itoa(n)])
	}
	return list
}
