#include "inference/spec/acceptance_calibration.h"

#include <algorithm>

namespace trialwright {

std::size_t AcceptanceCalibration::bucket_of(double confidence) {
  return static_cast<std::size_t>(std::clamp(confidence * kBuckets, 0.0, kBuckets - 1.0));
}

void AcceptanceCalibration::saw(double confidence, bool taken) {
  const std::scoped_lock lock(mutex_);
  Bucket& bucket = buckets_[bucket_of(confidence)];
  if (bucket.seen >= kRemembered) {
    bucket.seen /= 2;
    bucket.taken /= 2;
  }
  bucket.seen += 1;
  bucket.taken += taken ? 1 : 0;
}

double AcceptanceCalibration::rate(double confidence) const {
  const std::scoped_lock lock(mutex_);
  const Bucket& bucket = buckets_[bucket_of(confidence)];
  return (bucket.taken + kPriorGuesses * confidence) / (bucket.seen + kPriorGuesses);
}

double AcceptanceCalibration::overall_rate(double otherwise) const {
  const std::scoped_lock lock(mutex_);
  Bucket all{.seen = kPriorGuesses, .taken = kPriorGuesses * otherwise};
  for (const Bucket& bucket : buckets_) {
    all.seen += bucket.seen;
    all.taken += bucket.taken;
  }
  return all.taken / all.seen;
}

}  // namespace trialwright
