package dev.cowbell.it.image;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * One of the ways in which a new qcow2 image can be made.
 *
 * @param options what goes behind {@code -o}; a data file is called as {@link #dataFile} says
 * @param extendedL2 whether it has subclusters
 * @param dataFile empty if guest data is in the image
 */
record NewImageVariant(String options, boolean extendedL2, String dataFile, String preallocation) {

  /** Any combination that qemu-img allows. */
  static NewImageVariant random(SplittableRandom random, String dataFile) {
    List<String> options = new ArrayList<>();
    boolean old = random.nextInt(6) == 0;
    String clusterSize = pick(random, "512", "4k", "64k", "2M");
    boolean extended =
        !old && (clusterSize.equals("64k") || clusterSize.equals("2M")) && random.nextBoolean();
    options.add("cluster_size=" + clusterSize);
    options.add(old ? "compat=0.10" : "compat=1.1");
    String used = "";
    if (!old) {
      options.add("refcount_bits=" + pick(random, "1", "2", "16", "64"));
      options.add("extended_l2=" + (extended ? "on" : "off"));
      options.add("lazy_refcounts=" + pick(random, "on", "off"));
      options.add("compression_type=" + pick(random, "zlib", "zstd"));
      switch (random.nextInt(4)) {
        case 0 -> used = dataFile;
        case 1 -> {
          used = dataFile;
          options.add("data_file_raw=on");
        }
        default -> {}
      }
      if (!used.isEmpty()) {
        options.add("data_file=" + used);
      }
    }
    String preallocation = pick(random, "off", "metadata", "falloc", "full");
    options.add("preallocation=" + preallocation);
    return new NewImageVariant(String.join(",", options), extended, used, preallocation);
  }

  private static String pick(SplittableRandom random, String... values) {
    return values[random.nextInt(values.length)];
  }
}
