package probe

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	"bootswain/health"
)

const day = 24 * time.Hour

// A certificate warns and fails so long before its end, or, if it is made for a
// short time, when a third and a tenth of that are left.
const (
	certificateWarns = 21 * day
	certificateFails = 2 * day
)

// Certificate looks at when the certificates of a PEM file end; the first end
// counts.
func Certificate(path string, now time.Time) Answer {
	f, err := os.Open(path)
	if err != nil {
		return failed("cannot be read: " + line(err.Error()) + ".")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return failed("cannot be read: " + line(err.Error()) + ".")
	}
	return Certificates(text, now)
}

// Certificates looks at when the certificates in PEM end; the first end counts.
func Certificates(text []byte, now time.Time) Answer {
	var first *x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return failed("holds what is no certificate: " + line(err.Error()) + ".")
		}
		if first == nil || c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	if first == nil {
		return failed("holds no certificate in PEM.")
	}
	left, life := first.NotAfter.Sub(now), first.NotAfter.Sub(first.NotBefore)
	days := left.Hours() / 24
	name := line(first.Subject.CommonName)
	if name == "" && len(first.DNSNames) > 0 {
		name = line(first.DNSNames[0])
	}
	a := Answer{Status: health.Pass, Value: &days, Unit: "days", Text: fmt.Sprintf("%q ends in %.1f days.", name, days)}
	switch {
	case left <= 0:
		a.Status, a.Text = health.Fail, fmt.Sprintf("%q ended on %s.", name, first.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(first.NotBefore):
		a.Status, a.Text = health.Fail, fmt.Sprintf("%q begins on %s only.", name, first.NotBefore.UTC().Format(time.RFC3339))
	case left < min(certificateFails, life/10):
		a.Status = health.Fail
	case left < min(certificateWarns, life/3):
		a.Status = health.Warn
	}
	return a
}
