package view

func (s *server) proof(v *visit) error { return errNoPage }
