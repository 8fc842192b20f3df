package dev.cowbell.it.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.conditions.ArchPredicates.are;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.time.Clock;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZonedDateTime;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ArchitectureTest {

  private static final JavaClasses COWBELL =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .withImportOption(location -> !location.contains("-tests.jar"))
          .importPackages("dev.cowbell");

  private static final String[] MODULES = {
    "dev.cowbell.bitmaps..", "dev.cowbell.qcow2..", "dev.cowbell.storage..", "dev.cowbell.agent.."
  };

  @Test
  void every_module_is_looked_at() {
    for (String module : MODULES) {
      assertThat(COWBELL.that(resideInAPackage(module))).as(module).hasSizeGreaterThan(3);
    }
  }

  @Test
  void bitmaps_know_nothing_of_ours() {
    mayUseOfOurs("dev.cowbell.bitmaps..", List.of());
  }

  @Test
  void storage_targets_know_nothing_of_ours() {
    mayUseOfOurs("dev.cowbell.storage..", List.of());
  }

  @Test
  void qcow2_knows_only_bitmaps() {
    mayUseOfOurs("dev.cowbell.qcow2..", List.of("dev.cowbell.bitmaps.."));
  }

  @Test
  void every_class_lives_in_a_room_of_a_module() {
    classes().should().resideInAnyPackage(MODULES).check(COWBELL);
  }

  @Test
  void rooms_do_not_depend_on_each_other_in_circles() {
    for (String module : List.of("bitmaps", "qcow2", "storage", "agent")) {
      slices()
          .matching("dev.cowbell." + module + ".(*)..")
          .should()
          .beFreeOfCycles()
          .allowEmptyShould(true)
          .check(COWBELL);
    }
  }

  @Test
  void commands_are_the_only_callers_of_the_command_line_library() {
    noClasses()
        .that(are(not(resideInAPackage("dev.cowbell.agent.cli.."))))
        .should()
        .dependOnClassesThat()
        .resideInAPackage("picocli..")
        .check(COWBELL);
  }

  @Test
  void time_comes_from_an_injected_clock() {
    ArchRule rule =
        noClasses()
            .that(are(not(resideInAPackage("dev.cowbell.agent.cli.."))))
            .should()
            .callMethod(Instant.class, "now")
            .orShould()
            .callMethod(LocalDate.class, "now")
            .orShould()
            .callMethod(LocalDateTime.class, "now")
            .orShould()
            .callMethod(ZonedDateTime.class, "now")
            .orShould()
            .callMethod(System.class, "currentTimeMillis")
            .orShould()
            .callMethod(Clock.class, "systemUTC")
            .orShould()
            .callMethod(Clock.class, "systemDefaultZone")
            .because("the time of day is handed in, so that tests decide what it is");
    rule.check(COWBELL);
  }

  @Test
  void public_types_of_the_library_do_not_leak_third_party_types() {
    noClasses()
        .that(
            are(
                describe(
                    "public interfaces of the seams",
                    c ->
                        c.isInterface()
                            && c.getModifiers()
                                .contains(com.tngtech.archunit.core.domain.JavaModifier.PUBLIC)
                            && resideInAnyPackage(
                                    "dev.cowbell.qcow2",
                                    "dev.cowbell.storage",
                                    "dev.cowbell.bitmaps")
                                .test(c))))
        .should()
        .dependOnClassesThat()
        .resideOutsideOfPackages("java..", "dev.cowbell..", "org.jspecify..")
        .check(COWBELL);
  }

  private static void mayUseOfOurs(String module, List<String> others) {
    String[] allowed = new String[others.size() + 1];
    allowed[0] = module;
    for (int i = 0; i < others.size(); i++) {
      allowed[i + 1] = others.get(i);
    }
    noClasses()
        .that()
        .resideInAPackage(module)
        .should()
        .dependOnClassesThat(
            resideInAPackage("dev.cowbell..").and(not(resideInAnyPackage(allowed))))
        .check(COWBELL);
  }
}
