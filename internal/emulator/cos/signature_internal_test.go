package cosemu

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// workedRequest is the worked example of COS's request signature, computed by hand and by Tencent's SDK.
func workedRequest() *http.Request {
	r := httptest.NewRequest(http.MethodPut, "/data%2Fg%3D%40TGS%231%2Fa%20b.ndjson.gz?tagging=", strings.NewReader(strings.Repeat("x", 29)))
	r.Host = "examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com"
	r.Header.Set("Content-Type", "application/gzip")
	r.Header.Set("x-cos-forbid-overwrite", "true")
	r.Header.Set("x-cos-meta-sha256", "ab+c/d=")
	r.Header.Set("x-cos-security-token", "TOKENEXAMPLE")
	r.Header.Set("Authorization", "q-sign-algorithm=sha1&q-ak=AKIDEXAMPLE&q-sign-time=1760000000;1760003600&q-key-time=1760000000;1760003600"+
		"&q-header-list=content-length;content-type;host;x-cos-forbid-overwrite;x-cos-meta-sha256;x-cos-security-token"+
		"&q-url-param-list=tagging&q-signature=5ce364cd07e20e1a5291fe17dcb65a461e214a0d")
	return r
}

func TestSignature_Worked(t *testing.T) {
	t.Parallel()
	if got := hmacHex("SECRETEXAMPLE", "1760000000;1760003600"); got != "c9201c14905eed0cac9a2daa82a0aaf7dc389a04" {
		t.Errorf("sign key %s", got)
	}
	sig, apiErr := parseSignature(workedRequest())
	if apiErr != nil {
		t.Fatal(apiErr)
	}
	c := sig.canonical(workedRequest(), "SECRETEXAMPLE")
	const httpString = "put\n/data/g=@TGS#1/a b.ndjson.gz\ntagging=\ncontent-length=29&content-type=application%2Fgzip" +
		"&host=examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com&x-cos-forbid-overwrite=true&x-cos-meta-sha256=ab%2Bc%2Fd%3D" +
		"&x-cos-security-token=TOKENEXAMPLE\n"
	if c.httpString != httpString {
		t.Errorf("http string\n%q, want\n%q", c.httpString, httpString)
	}
	if want := "sha1\n1760000000;1760003600\n1b5704c7de89d96b4158a25fb9322c3e8bc60230\n"; c.stringToSign != want {
		t.Errorf("string to sign %q, want %q", c.stringToSign, want)
	}
	if want := "5ce364cd07e20e1a5291fe17dcb65a461e214a0d"; c.signature != want {
		t.Errorf("signature %s, want %s", c.signature, want)
	}
}

func TestSignature_EveryPartOfARequestIsVerified(t *testing.T) {
	t.Parallel()
	start := time.Unix(1760000000, 0)
	auth := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), from, to))
		}
	}
	for name, test := range map[string]struct {
		change func(*http.Request)
		now    time.Time
		lax    bool
		code   string // empty: accepted
	}{
		"unchanged":           {func(*http.Request) {}, start, false, ""},
		"method":              {func(r *http.Request) { r.Method = http.MethodGet }, start, false, "SignatureDoesNotMatch"},
		"path":                {func(r *http.Request) { r.URL.Path += "x" }, start, false, "SignatureDoesNotMatch"},
		"host":                {func(r *http.Request) { r.Host = "x" + r.Host }, start, false, "SignatureDoesNotMatch"},
		"length":              {func(r *http.Request) { r.ContentLength++ }, start, false, "SignatureDoesNotMatch"},
		"signed header":       {func(r *http.Request) { r.Header.Set("x-cos-meta-sha256", "x") }, start, false, "SignatureDoesNotMatch"},
		"token":               {func(r *http.Request) { r.Header.Set("x-cos-security-token", "x") }, start, false, "SignatureDoesNotMatch"},
		"param":               {func(r *http.Request) { r.URL.RawQuery = "tagging=1" }, start, false, "SignatureDoesNotMatch"},
		"unsigned cos header": {func(r *http.Request) { r.Header.Set("x-cos-acl", "public-read") }, start, false, "AccessDenied"},
		"the same, lax":       {func(r *http.Request) { r.Header.Set("x-cos-acl", "public-read") }, start, true, ""},
		"unsigned md5":        {func(r *http.Request) { r.Header.Set("Content-MD5", "x") }, start, false, "AccessDenied"},
		"unsigned user agent": {func(r *http.Request) { r.Header.Set("User-Agent", "x") }, start, false, ""},
		"host not listed":     {auth("host;", ""), start, false, "AccessDenied"},
		"unknown id":          {auth("AKIDEXAMPLE", "AKIDOTHER"), start, false, "InvalidAccessKeyId"},
		"signature":           {auth("5ce364", "5ce365"), start, false, "SignatureDoesNotMatch"},
		"algorithm":           {auth("=sha1", "=md5"), start, false, "AccessDenied"},
		"anonymous":           {func(r *http.Request) { r.Header.Del("Authorization") }, start, false, "AccessDenied"},
		"last second":         {func(*http.Request) {}, start.Add(time.Hour), false, ""},
		"expired":             {func(*http.Request) {}, start.Add(time.Hour + time.Second), false, "AccessDenied"},
		"just not ahead":      {func(*http.Request) {}, start.Add(-15 * time.Minute), false, ""},
		"too far ahead":       {func(*http.Request) {}, start.Add(-15*time.Minute - time.Second), false, "RequestTimeTooSkewed"},
		"malformed time":      {auth("q-sign-time=1760000000;", "q-sign-time="), start, false, "AccessDenied"},
		"token has expired":   {func(*http.Request) {}, start.Add(31 * time.Minute), false, "ExpiredToken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cred := Credential{SecretKey: "SECRETEXAMPLE", Token: "TOKENEXAMPLE"}
			if name == "token has expired" {
				cred.Expires = start.Add(30 * time.Minute)
			}
			s := &Server{opts: Options{
				Lax: test.lax, AuthNow: func() time.Time { return test.now },
				Credentials: StaticCredential("AKIDEXAMPLE", cred),
			}}
			r := workedRequest()
			test.change(r)
			err := s.authenticate(r)
			switch {
			case err == nil && test.code != "":
				t.Errorf("accepted, want %s", test.code)
			case err != nil && err.code != test.code:
				t.Errorf("%s (%s), want %q", err.code, err.message, test.code)
			}
		})
	}
}

func TestSignature_RightOneWithAWrongTokenIsRefused(t *testing.T) {
	t.Parallel()
	s := &Server{opts: Options{
		AuthNow:     func() time.Time { return time.Unix(1760000000, 0) },
		Credentials: StaticCredential("AKIDEXAMPLE", Credential{SecretKey: "SECRETEXAMPLE", Token: "ANOTHER"}),
	}}
	if err := s.authenticate(workedRequest()); err == nil || err.status != http.StatusForbidden {
		t.Errorf("%+v, want 403", err)
	}
}
