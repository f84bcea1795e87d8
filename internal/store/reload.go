package store

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/util/logging"
	prom_runtime "github.com/prometheus/prometheus/util/runtime"
)

// Prepare checks everything in prom that concerns the storage: retention,
// out-of-order window, exemplars, remote write and read, query log. Nothing
// changes before commit is called. A commit before the TSDB opens takes effect
// when it does; one while it is being opened waits for that.
func (s *Store) Prepare(prom *promconfig.Config) (commit func(), err error) {
	full := s.cfg.complete(prom)
	if err := errors.Join(
		s.checkRetention(full.StorageConfig.TSDBConfig.Retention),
		checkRemoteWrite(full.RemoteWriteConfigs),
		checkRemoteRead(full.RemoteReadConfigs),
		checkQueryLog(full.GlobalConfig.QueryLogFile),
	); err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	return func() { s.apply(full) }, nil
}

// apply cannot refuse any more; what still goes wrong is logged.
func (s *Store) apply(full *promconfig.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prom = full
	s.evalInterval.Store(time.Duration(full.GlobalConfig.EvaluationInterval).Milliseconds())
	if err := s.applyQueryLog(full.GlobalConfig.QueryLogFile); err != nil {
		s.logger.Error("Query log unchanged", "err", err)
	}
	o := s.open.Load()
	if o == nil {
		return
	}
	if err := o.db.ApplyConfig(full); err != nil {
		s.logger.Error("Storage configuration not applied", "err", err)
	}
	if err := o.remote.ApplyConfig(full); err != nil {
		s.logger.Error("Remote storage configuration not applied", "err", err)
	}
}

func (s *Store) checkRetention(r *promconfig.TSDBRetentionConfig) error {
	if r.Time < 0 || r.Size < 0 || r.Percentage < 0 || r.Percentage > 100 {
		return fmt.Errorf("retention time=%s size=%s percentage=%g: use positive values and at most 100 percent", r.Time, r.Size, r.Percentage)
	}
	if r.Percentage > 0 && prom_runtime.FsSize(s.cfg.Dir) == 0 {
		return fmt.Errorf("retention percentage=%g: the size of the disk below %q is unknown; use retention.size", r.Percentage, s.cfg.Dir)
	}
	return nil
}

// checkRemoteWrite builds each client once, because that reads the secrets and
// certificates it names.
func checkRemoteWrite(cfgs []*promconfig.RemoteWriteConfig) error {
	var errs []error
	for i, c := range cfgs {
		_, err := remote.NewWriteClient(c.Name, &remote.ClientConfig{
			URL:              c.URL,
			WriteProtoMsg:    c.ProtobufMessage,
			Timeout:          c.RemoteTimeout,
			HTTPClientConfig: c.HTTPClientConfig,
			SigV4Config:      c.SigV4Config,
			AzureADConfig:    c.AzureADConfig,
			GoogleIAMConfig:  c.GoogleIAMConfig,
			Headers:          c.Headers,
			RoundRobinDNS:    c.RoundRobinDNS,
		})
		if err == nil && contains(cfgs[:i], c) {
			err = errors.New("stands there twice; remove one")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("remote_write %q: %w", c.URL.Redacted(), err))
		}
	}
	return errors.Join(errs...)
}

func checkRemoteRead(cfgs []*promconfig.RemoteReadConfig) error {
	var errs []error
	for i, c := range cfgs {
		_, err := remote.NewReadClient(c.Name, &remote.ClientConfig{
			URL:              c.URL,
			Timeout:          c.RemoteTimeout,
			ChunkedReadLimit: c.ChunkedReadLimit,
			HTTPClientConfig: c.HTTPClientConfig,
			Headers:          c.Headers,
		})
		if err == nil && contains(cfgs[:i], c) {
			err = errors.New("stands there twice; remove one")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("remote_read %q: %w", c.URL.Redacted(), err))
		}
	}
	return errors.Join(errs...)
}

func contains[T any](list []*T, want *T) bool {
	for _, have := range list {
		if reflect.DeepEqual(have, want) {
			return true
		}
	}
	return false
}

// checkQueryLog opens the file as apply will, and lets it go again: a Prepare
// without commit must leave nothing open.
func checkQueryLog(path string) error {
	if path == "" {
		return nil
	}
	l, err := logging.NewJSONFileLogger(path)
	if err != nil {
		return fmt.Errorf("global.query_log_file: %w", err)
	}
	return l.Close()
}

// applyQueryLog opens the file anew on every reload, for log rotation.
func (s *Store) applyQueryLog(path string) error {
	var l promql.QueryLogger // A nil *JSONFileLogger would not be nil in here.
	if path != "" {
		f, err := logging.NewJSONFileLogger(path)
		if err != nil {
			return err
		}
		l = f
	}
	s.engine.SetQueryLogger(l)
	return nil
}
