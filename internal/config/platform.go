package config

// Credentials sign the calls to COS and to the cloud API. The platform renews them for every invocation, and they
// live for hours at most: read them in every invocation and keep them no longer.
type Credentials struct {
	SecretID  Secret
	SecretKey Secret
	Token     Secret // session token of a role; empty with a permanent key
}

// LoadCredentials reads TENCENTCLOUD_SECRETID, TENCENTCLOUD_SECRETKEY and TENCENTCLOUD_SESSIONTOKEN. The error is an
// *Error.
func LoadCredentials(getenv func(string) string) (Credentials, error) {
	const advice = "give the function an execution role (the key role in serverless.yml); the platform then sets TENCENTCLOUD_SECRETID, TENCENTCLOUD_SECRETKEY and TENCENTCLOUD_SESSIONTOKEN"
	r := &reader{getenv: getenv}
	c := Credentials{
		SecretID:  NewSecret(r.value("TENCENTCLOUD_SECRETID")),
		SecretKey: NewSecret(r.value("TENCENTCLOUD_SECRETKEY")),
		Token:     NewSecret(r.value("TENCENTCLOUD_SESSIONTOKEN")),
	}
	for _, v := range []struct {
		variable string
		secret   Secret
	}{{"TENCENTCLOUD_SECRETID", c.SecretID}, {"TENCENTCLOUD_SECRETKEY", c.SecretKey}} {
		switch {
		case v.secret.Empty():
			return Credentials{}, &Error{Variable: v.variable, Problem: "is not set: the function has no credentials", Advice: advice}
		case !printable(v.secret.Reveal()):
			return Credentials{}, &Error{Variable: v.variable, Problem: "contains white space or control characters", Advice: advice}
		}
	}
	if !printable(c.Token.Reveal()) {
		return Credentials{}, &Error{Variable: "TENCENTCLOUD_SESSIONTOKEN", Problem: "contains white space or control characters", Advice: advice}
	}
	return c, nil
}

// Platform is what the environment says of the function itself. The function's context says the same and is to be
// preferred: these variables have been missing at times.
type Platform struct {
	Function  string
	Version   string
	Namespace string
	Region    string
}

// LoadPlatform reads SCF_FUNCTIONNAME, SCF_FUNCTIONVERSION, SCF_NAMESPACE and TENCENTCLOUD_REGION; each may be empty.
func LoadPlatform(getenv func(string) string) Platform {
	r := &reader{getenv: getenv}
	return Platform{
		Function:  r.value("SCF_FUNCTIONNAME"),
		Version:   r.value("SCF_FUNCTIONVERSION"),
		Namespace: r.value("SCF_NAMESPACE"),
		Region:    r.value("TENCENTCLOUD_REGION"),
	}
}
